# The image of the service alone: PostgreSQL and Redis are given by DATABASE_URL and REDIS_URL (compose.yaml has both).
# It runs as a user without rights, on a read-only file system; what is kept goes to /data, what is not to /tmp.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore npm_config_cache=/tmp/npm
WORKDIR /app
COPY pyproject.toml requirements.lock README.md LICENSE Makefile ./
COPY prisma prisma
COPY core core
COPY features features
# The packages that the service needs, in the locked versions; `make setup` then does what is left: Node and the clients.
RUN python -m venv .venv \
    && .venv/bin/pip install --quiet --constraint requirements.lock hatchling \
    && .venv/bin/pip install --quiet --constraint requirements.lock --no-build-isolation --editable . \
    && touch .venv/.installed \
    && make setup \
    && .venv/bin/python -m compileall -q core features \
    && find . -name tests -path '*/features/*' -prune -exec rm -rf {} +

FROM ${PYTHON}
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin handover \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 PORT=8000 DATA_DIR=/data LOG_FORMAT=json
WORKDIR /data
VOLUME /data
EXPOSE 8000
USER 10001:10001
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["handover"]
CMD ["serve"]
