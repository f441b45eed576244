from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    name = "evaluation"

    def ready(self) -> None:
        """Check the configured endpoints at startup, so that an error does not surface during a comparison."""
        from evaluation.comparison import engines

        engines.configured()
