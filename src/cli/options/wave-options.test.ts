import { describe, expect, it } from "vitest";
import { planned } from "../main.fake.ts";

const server = ["server", "--registry", "ghr://a/b", "-p", "8000"];
const redis = ["--cache", "redis://127.0.0.1"];

describe("--waves", () => {
  it("is taken with a cache that hosts share, and has its defaults", async () => {
    const { plan } = await planned([
      ...server,
      ...redis,
      "--waves",
      "canary,10%,100%",
      "--",
      "app",
    ]);

    expect(plan?.apps[0]?.waves).toEqual({
      plan: [
        { text: "canary", label: "canary" },
        { text: "10%", percent: 10 },
        { text: "100%", percent: 100 },
      ],
      ...{ label: undefined, soakMs: 300_000, failureLimit: 1, timeoutMs: 900_000 },
    });
  });

  it("is nothing where nobody asks for it", async () => {
    const { plan } = await planned([...server, ...redis, "--", "app"]);

    expect(plan?.apps[0]?.waves).toBeUndefined();
  });

  it.each([
    [[], "--waves: --cache has to be one that the hosts share"],
    [["--cache", "file://"], "--waves: --cache has to be one that the hosts share"],
    [["--cache", "memory://"], "--waves: --cache has to be one that the hosts share"],
    [[...redis, "--waves", "1,50%"], "--waves: 1,50%: the last wave has to be 100%"],
    [[...redis, "--wave-label", "7"], "--wave-label: begin with a letter"],
    [[...redis, "--wave-timeout", "5"], "--wave-timeout: write 10 or more"],
    [[...redis, "--wave-failures", "0"], "--wave-failures: write a number from 1 to 1000"],
  ])("refuses %j", async (args, expected) => {
    const waves = args.includes("--waves") ? [] : ["--waves", "1,100%"];
    const { status, noted } = await planned([...server, ...waves, ...args, "--", "app"]);

    expect(noted.join("\n")).toContain(expected);
    expect(status).toBe(2);
  });

  it("is missed where only its details are given", async () => {
    const { status, noted } = await planned([...server, "--wave-soak", "1m", "--", "app"]);

    expect(noted).toEqual([
      "dewy: --wave-soak: there are no waves: write waves too, such as 1,10%,50%,100%",
    ]);
    expect(status).toBe(2);
  });
});
