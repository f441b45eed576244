# Two images from one file: `web` carries no PyTorch, `worker` adds the machine-learning extras.
#   docker build --target web -t ftplatform-web .
#   docker build --target worker -t ftplatform-worker .

FROM python:3.12-slim-bookworm AS base
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DJANGO_SETTINGS_MODULE=ftplatform.settings \
    STATIC_ROOT=/app/staticfiles \
    VAR_DIR=/data \
    HOME=/tmp
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin ftplatform \
    && install -d -o ftplatform -g ftplatform -m 0700 /data
WORKDIR /app

# Dependencies alone first: this layer is built again only when they change. Without the packages beside it,
# pyproject.toml installs nothing but what it requires.
FROM base AS web-dependencies
RUN python -m venv /venv
COPY pyproject.toml constraints.txt README.md ./
RUN pip install --constraint constraints.txt .

FROM web-dependencies AS worker-dependencies
RUN pip install --constraint constraints.txt torch \
    && pip install --constraint constraints.txt ".[worker]"

# The static files need the dependencies but no secret: the key made here stays in this stage.
FROM web-dependencies AS static
COPY . .
RUN VAR_DIR=/tmp/build python manage.py collectstatic --no-input --verbosity 0

FROM base AS web
COPY --from=web-dependencies /venv /venv
COPY . .
COPY --from=static /app/staticfiles /app/staticfiles
USER ftplatform
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "ftplatform.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "5", "--no-control-socket"]

FROM base AS worker
COPY --from=worker-dependencies /venv /venv
COPY . .
USER ftplatform
VOLUME /data
CMD ["python", "-m", "celery", "-A", "ftplatform.celery", "worker", "--queues", "gpu", "--concurrency", "1", "--prefetch-multiplier", "1", "--without-gossip", "--without-mingle", "--hostname", "gpu@%h", "--loglevel", "INFO"]
