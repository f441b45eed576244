from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    name = "evaluation"

    def ready(self) -> None:
        """A wrong endpoint stops the start, not a run at night."""
        from evaluation.comparison import engines

        engines.configured()
