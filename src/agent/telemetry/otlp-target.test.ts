import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { readOtlpTarget } from "./otlp-target.ts";

describe("readOtlpTarget", () => {
  it.each([
    ["collector:4317", false, "grpc", "https://collector:4317/"],
    ["collector", true, "grpc", "http://collector:4317/"],
    ["[::1]:9999", true, "grpc", "http://[::1]:9999/"],
    ["http://collector:4317", false, "grpc", "http://collector:4317/"],
    ["http://collector:4318", false, "http", "http://collector:4318/v1/metrics"],
    ["https://a.test/otlp/", false, "http", "https://a.test/otlp/v1/metrics"],
    ["https://a.test/x/v1/metrics?k=1", false, "http", "https://a.test/x/v1/metrics?k=1"],
  ])("reads %s, insecure %s, as %s", async (endpoint, insecure, protocol, href) => {
    const target = await readOtlpTarget({ endpoint, insecure, environment: {} });

    expect({ protocol: target.protocol, href: target.url.href }).toEqual({ protocol, href });
    expect(target.secureContext !== undefined).toBe(href.startsWith("https:"));
  });

  it.each([
    ["collector/path", {}, "--otlp-endpoint: "],
    ["", {}, "--otlp-endpoint: "],
    ["ftp://collector", {}, "--otlp-endpoint: "],
    ["https://user:word@collector", {}, "no credentials"],
    ["c:1", { OTEL_EXPORTER_OTLP_TIMEOUT: "10s" }, "OTEL_EXPORTER_OTLP_TIMEOUT"],
    ["c:1", { OTEL_EXPORTER_OTLP_COMPRESSION: "br" }, "OTEL_EXPORTER_OTLP_COMPRESSION"],
    ["c:1", { OTEL_EXPORTER_OTLP_HEADERS: "hunter22" }, "OTEL_EXPORTER_OTLP_HEADERS"],
    ["c:1", { OTEL_EXPORTER_OTLP_METRICS_HEADERS: "a=%0Ahunter22" }, "METRICS_HEADERS"],
    ["c:1", { OTEL_EXPORTER_OTLP_CERTIFICATE: "/nonexistent" }, "CERTIFICATE=/nonexistent"],
    ["c:1", { OTEL_EXPORTER_OTLP_CLIENT_KEY: "/nonexistent" }, "CLIENT_KEY go together"],
  ])("refuses %j with %j", async (endpoint, environment, message) => {
    const reading = readOtlpTarget({ endpoint, insecure: false, environment });

    const error = await reading.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "INVALID",
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
    expect(inspect(error)).not.toContain("hunter22");
  });

  it("refuses https:// without TLS", async () => {
    await expect(
      readOtlpTarget({ endpoint: "https://a.test", insecure: true, environment: {} }),
    ).rejects.toThrow("contradict");
  });

  it("takes the variable for metrics before the general one, and hides headers", async () => {
    const target = await readOtlpTarget({
      endpoint: "c:1",
      insecure: true,
      environment: {
        OTEL_EXPORTER_OTLP_HEADERS: "a=1",
        OTEL_EXPORTER_OTLP_METRICS_HEADERS: "Authorization=Bearer%20hunter22, x-tenant=t=1",
        OTEL_EXPORTER_OTLP_TIMEOUT: "1500",
        OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://the-apps-own:4318",
      },
    });

    expect(target).toMatchObject({ timeoutMs: 1500, compression: "gzip" });
    expect(target.url.host).toBe("c:1");
    expect(Object.keys(target.headers)).toEqual(["authorization", "x-tenant"]);
    expect(target.headers["x-tenant"]?.reveal()).toBe("t=1");
    expect(JSON.stringify(target.headers) + inspect(target.headers)).not.toContain("hunter22");
  });
});
