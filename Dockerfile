# One image for the web process, the worker, the watcher and the sweep; compose.yaml says which one a container is.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN python -m venv /venv && /venv/bin/pip install --require-hashes --requirement requirements/base.txt
COPY manage.py manage.py
COPY overlayweb overlayweb
COPY tasks tasks
COPY templates templates
COPY static static
# Compiled here, since the finished container cannot write. The data folder of this step is thrown away.
RUN /venv/bin/python -m compileall -q overlayweb tasks \
    && OVERLAYWEB_DATA=/tmp/build OVERLAYWEB_STATIC_ROOT=/app/static-root \
       /venv/bin/python manage.py collectstatic --no-input --verbosity 0

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --home-dir /app --shell /usr/sbin/nologin overlayweb \
    && install --directory --owner overlayweb --group overlayweb --mode 0700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=overlayweb.settings \
    OVERLAYWEB_DATA=/data \
    OVERLAYWEB_STATIC_ROOT=/app/static-root
EXPOSE 8000
CMD ["uvicorn", "overlayweb.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--lifespan", "off", \
     "--no-server-header", "--no-access-log", "--timeout-graceful-shutdown", "5"]
