import { createSecureServer } from "node:http2";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { MetricsService } from "../../src/agent/telemetry/otlp-schema.ts";
import { openTelemetry } from "../../src/agent/telemetry/telemetry.ts";
import { systemClock } from "../../src/base/clock.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { describeWith } from "../component.ts";
import { type Authority, type Certificate, openAuthority } from "./certificates.ts";

describeWith("openssl")("OTLP over TLS", () => {
  let authority: Authority;
  let server: Certificate;
  let client: Certificate;
  beforeAll(async () => {
    authority = await openAuthority();
    server = await authority.issue("server");
    client = await authority.issue("client");
  });
  afterAll(() => authority.close());

  it.each(["gRPC", "HTTP"])(
    "shows who we are to a collector it trusts, by %s",
    async (protocol) => {
      const collector = await serve(protocol);
      const environment = {
        OTEL_EXPORTER_OTLP_CERTIFICATE: authority.ca.cert,
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: client.cert,
        OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY: client.key,
      };

      expect(await warningsOf(collector.endpoint, environment)).toEqual([]);
      expect(collector.taken()).toBe(1);
    },
  );

  it.each(["gRPC", "HTTP"])("sends nothing to one it does not trust, by %s", async (protocol) => {
    const collector = await serve(protocol);

    expect(await warningsOf(collector.endpoint, {})).toMatchObject([
      { code: "UNREACHABLE", hint: expect.any(String) },
    ]);
    expect(collector.taken()).toBe(0);
  });

  /** Asks for a client's certificate, and refuses who has none. */
  async function serve(protocol: string) {
    let taken = 0;
    const options = { ...server.pem, ca: authority.ca.pem.cert, requestCert: true };
    const routes = connectNodeAdapter({
      routes: (router) =>
        router.service(MetricsService, {
          export() {
            taken++;
            return {};
          },
        }),
    });
    const collector =
      protocol === "gRPC"
        ? createSecureServer(options, routes)
        : createServer(options, (request, response) => {
            taken++;
            request.resume().on("end", () => response.end());
          });
    await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void collector.close());
    const authorityOf = `127.0.0.1:${(collector.address() as AddressInfo).port}`;
    const endpoint = protocol === "gRPC" ? authorityOf : `https://${authorityOf}`;
    return { endpoint, taken: () => taken };
  }
});

async function warningsOf(endpoint: string, environment: Record<string, string>) {
  const logger = new FakeLogger();
  const parts = { clock: systemClock, logger, environment };
  const telemetry = await openTelemetry({ endpoint, insecure: false, version: "1" }, parts);
  await telemetry.close({ signal: AbortSignal.timeout(10_000) });
  return logger.lines.map(({ fields }) => fields.error);
}
