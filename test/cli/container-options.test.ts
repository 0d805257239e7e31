import { execFile } from "node:child_process";
import { describe, expect, it } from "vitest";
import { built } from "../../bench/stage.ts";

describe("dewy container", () => {
  it.each([
    ["--proxy haproxy", "proxy haproxy: say where its runtime API is by proxy-socket"],
    ["--proxy-socket /x", "proxy-socket is for proxy haproxy"],
    ["--proxy none --max-connections 20000", "max-connections is for proxy built-in, not for none"],
    [
      "--proxy haproxy --proxy-socket /x --proxy-protocol v2",
      "proxy-protocol is for proxy built-in, not for haproxy",
    ],
    [
      "--proxy nftables --proxy-protocol v2",
      "proxy-protocol is for proxy built-in, not for nftables",
    ],
    ["--proxy-protocol v1", "--proxy-protocol: choose one of: v2"],
    ["--max-connections 0", "--max-connections: write a number from 1 to 1000000"],
  ])("refuses %s in one line", async (words, line) => {
    const { status, stderr } = await ended(["--port", "8080", ...words.split(" ")]);

    expect(stderr).toBe(`dewy: ${line}\n`);
    expect(status).toBe(2);
  });
});

function ended(words: readonly string[]): Promise<{ status: unknown; stderr: string }> {
  const registry = ["container", "--registry", "img://127.0.0.1:1/app"];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [built("src/main.js"), ...registry, ...words],
      { timeout: 15_000 },
      (error, _output, stderr) => resolve({ status: error?.code ?? 0, stderr }),
    );
  });
}
