# The one binary in a small image, run by an ordinary user:
#
#   docker build -t inmem .
#   docker run -v inmem-certs:/certs inmem certs /certs --host NAME
#   docker run -e INMEM_PASSWORD -v inmem-data:/data -v inmem-certs:/certs -p 9443:9443 --memory 1g inmem
#
# The second line makes the certificates, once.

FROM node:20-bookworm-slim AS build
WORKDIR /build
COPY deno.json deno.lock ./
COPY src src
RUN npx -y deno@2.7.11 task compile

FROM debian:bookworm-slim
RUN useradd --create-home --uid 10001 inmem && install --directory --owner=inmem --mode=0700 /data /certs
COPY --from=build /build/inmem /usr/local/bin/inmem
USER inmem
VOLUME ["/data", "/certs"]
EXPOSE 9443
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["inmem", "client", "--addr", "127.0.0.1:9443", "--ca", "/certs/ca.pem", "ping"]
ENTRYPOINT ["inmem"]
CMD ["server", "--addr", "0.0.0.0:9443", "--cert", "/certs/server.pem", "--key", "/certs/server.key", "--data", "/data"]
