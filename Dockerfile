# The static binary in an image with nothing else: docs/containers.md says how to run it.
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN script/bootstrap && script/package

FROM scratch
COPY --from=build /src/target/package/ebtop /ebtop
ENTRYPOINT ["/ebtop"]
