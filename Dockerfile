# An image that takes the place of rabbitmq:*-management; see docs/container.md.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
COPY pyproject.toml requirements-dev.lock README.md LICENSE /src/
COPY broker /src/broker
COPY protocol /src/protocol
RUN python -m venv /opt/leveret \
    && /opt/leveret/bin/pip install --no-cache-dir --disable-pip-version-check -c /src/requirements-dev.lock /src \
    && /opt/leveret/bin/pip uninstall --yes --disable-pip-version-check pip setuptools \
    && /opt/leveret/bin/leveret install-shims /opt/rabbitmq/sbin

FROM python:${PYTHON}-slim
# curl and ps are for the health checks and scripts that people run in there. Python's images come without compiled
# modules: each start and each health check would compile what it imports.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl procps tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && python -m compileall -q -x '/(ensurepip|idlelib|lib2to3|pydoc_data|site-packages|tkinter|turtledemo)/' \
        "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && groupadd --gid 999 --system rabbitmq \
    && useradd --uid 999 --system --gid rabbitmq --home-dir /var/lib/rabbitmq --no-create-home rabbitmq \
    && mkdir -p /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq/conf.d /run/leveret \
    && chown -R rabbitmq:rabbitmq /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq /run/leveret \
    && chmod 1777 /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq /etc/rabbitmq/conf.d
COPY --from=build /opt/leveret /opt/leveret
COPY --from=build /opt/rabbitmq /opt/rabbitmq
COPY --chown=rabbitmq:rabbitmq container/conf.d /etc/rabbitmq/conf.d
COPY --chown=rabbitmq:rabbitmq container/enabled_plugins /etc/rabbitmq/enabled_plugins
COPY container/docker-entrypoint.sh /usr/local/bin/

ENV PATH=/opt/rabbitmq/sbin:/opt/leveret/bin:$PATH \
    HOME=/var/lib/rabbitmq \
    RABBITMQ_HOME=/opt/rabbitmq \
    RABBITMQ_DATA_DIR=/var/lib/rabbitmq \
    LEVERET_RUNTIME_DIR=/run/leveret \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1
VOLUME /var/lib/rabbitmq
EXPOSE 4369 5671 5672 15671 15672 15691 15692 25672
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["rabbitmq-server"]
