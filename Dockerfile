# The one binary in a small image, run by an ordinary user. These lines build it, make the certificates, once, and run a
# server:
#
#   docker build -t inmem .
#   docker run --rm -v inmem-certs:/certs inmem certs /certs --host NAME
#   docker run -e INMEM_PASSWORD -v inmem-data:/data -v inmem-certs:/certs -p 9443:9443 --memory 1g inmem
#
# Building downloads the runtime from Deno's site, for the processor of the machine that builds. Where that site is out
# of reach, a copy of the runtime in this folder takes its place:
#
#   cp "$(.ci/denort)" denort
#   docker build --build-arg DENORT_BIN=denort -t inmem .

FROM node:20-bookworm-slim AS build
WORKDIR /build
ARG DENORT_BIN=
# A file that a pattern does not find is not missed.
COPY deno.json deno.lock denor[t] ./
COPY src src
COPY .packaging/node_defaults.ts .packaging/node_defaults.ts
RUN if [ -n "$DENORT_BIN" ]; then export DENORT_BIN="$PWD/$DENORT_BIN"; else unset DENORT_BIN; fi; \
  npx -y deno@2.7.11 task compile

FROM debian:bookworm-slim
RUN useradd --create-home --uid 10001 inmem \
  && install --directory --owner=inmem --mode=0700 /data /certs \
  && install --directory --owner=inmem --mode=0755 /run/inmem
COPY --from=build /build/inmem /usr/local/bin/inmem
USER inmem
VOLUME ["/data", "/certs"]
EXPOSE 9443
# A role that is ready sets the time of this file every 5 s, so that a check starts no program of ours.
ENV INMEM_SERVER_HEALTH_FILE=/run/inmem/health INMEM_PROXY_HEALTH_FILE=/run/inmem/health
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD test -n "$(find /run/inmem/health -newermt '-30 seconds')"
ENTRYPOINT ["inmem"]
CMD ["server", "--addr", "0.0.0.0:9443", "--cert", "/certs/server.pem", "--key", "/certs/server.key", "--data", "/data"]
