import { describe, expect, it } from "vitest";
import { plainName } from "./single-file.ts";

describe("plainName", () => {
  it.each([
    ["app", "app"],
    ["app_1.2.3_linux_amd64", "app"],
    ["app-v1.2.3-linux-amd64", "app"],
    ["app_linux_x86_64", "app"],
    ["app-linux-x86_64-musl", "app"],
    ["app-x86_64-unknown-linux-gnu", "app"],
    ["app-darwin-arm64", "app"],
    ["app-2.0.0-rc.1", "app"],
    ["app-v3", "app"],
    ["app-windows-amd64.exe", "app.exe"],
    ["app-1.2.3.jar", "app.jar"],
    ["my-app.linux-armv7", "my-app"],
    ["linux-exporter", "linux-exporter"],
    ["charm", "charm"],
    ["app2", "app2"],
    ["linux_amd64", "linux"],
  ])("makes of %s: %s", (name, plain) => {
    expect(plainName(name)).toBe(plain);
  });
});
