import { mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { serve } from "../base/local-server.fake.ts";
import { serveFakeOciRegistry } from "../oci/oci.fake.ts";
import { main } from "./main.ts";
import { version } from "./version.ts";

describe("dewy", () => {
  it.each([
    ["", "dewy: no command; `dewy --help` lists them"],
    ["serve", "unknown command 'serve'"],
    ["servr", "Did you mean server?"],
    ["server -- app", "--registry is missing"],
    ["server --registry nowhere -- app", "--registry: write it as scheme://place"],
    ["server --registry ftp://a/b -- app", "ftp"],
    ["server --registry ghr://owner -- app", "ghr://owner/repo"],
    ["server --registry img://127.0.0.1:5000/app?pre-relase=true -- app", "pre-release"],
    ["server --registry img://127.0.0.1:5000/app?pre-release=perhaps -- app", "pre-release"],
    ["server --registry img://127.0.0.1:5000/app", "there is no command to run"],
    ["server --registry img://127.0.0.1:99999/app -- app", "127.0.0.1:99999/app is not host/repo"],
    ["server --registry img://[::::::::::]/app -- app", "is not host/repository"],
    ["server --registry img://127.0.0.1:5000/app -p , -- app", "--port: there is no port in it"],
    [
      `server --registry img://127.0.0.1:5000/app -i ${"9".repeat(400)} -- app`,
      "--interval: write",
    ],
    ["push /dev/zero img://127.0.0.1:5000/app:v1.0.0", "/dev/zero: it is not a regular file"],
    ["push /dev img://127.0.0.1:5000/app:v1.0.0", "/dev: it is not a regular file"],
    ["server --registri ghr://a/b -- app", "unknown option '--registri'"],
    [
      "server --registry img://127.0.0.1:5000/app --interval soon -- app",
      "--interval: write seconds",
    ],
    [
      "server --registry img://127.0.0.1:5000/app --interval 0 -- app",
      "--interval: ask once a second",
    ],
    ["server --registry img://127.0.0.1:5000/app -p 70000 -- app", "70000"],
    ["server --registry img://127.0.0.1:5000/app -p 8002-8001 -- app", "8002-8001"],
    ["server --registry img://127.0.0.1:5000/app -l loud -- app", "--log-level: choose one of"],
    ["server --registry ghr://owner/app -- app", "GITHUB_TOKEN"],
    ["push", "name at least one file"],
    ["push app.tar.gz", "img://"],
    ["push missing.tar.gz img://127.0.0.1:5000/app:v1.0.0", "missing.tar.gz"],
    ["push missing.tar.gz img://127.0.0.1:5000/app", "tag"],
    [`push missing.tar.gz img://127.0.0.1:5000/app:v1@sha256:${"0".repeat(64)}`, "digest"],
    ["push missing.tar.gz img://127.0.0.1:99999/app:v1", "no registry host"],
    ["registry", "no command; `dewy registry --help` lists them"],
    ["registry serve missing.yml", "missing.yml"],
    ["registry serve one.yml two.yml", "Expected 1 argument but got 2: see"],
  ])("refuses %j before anything starts", async (line, expected) => {
    const { status, noted, left } = await run(line.split(" ").filter(Boolean));

    expect(noted).toEqual([expect.stringContaining(expected)]);
    expect(noted[0]).not.toContain("\n");
    expect(status).toBe(2);
    expect(left).toEqual([]);
  });

  it.each(["abc", "", " ", "0x50", "1e3", "-1", "65536"])(
    "says once that %j is no port",
    async (port) => {
      const { noted } = await run(["assets", "--registry", "ghr://a/b", `--admin-port=${port}`]);

      expect(noted).toEqual(["dewy: --admin-port: write a port: a number from 1 to 65535"]);
    },
  );

  it.each([
    [["-d", "", "--", "app"], "--directory: name a directory"],
    [["-p", "", "--", "app"], "--port: there is no port in it"],
    [["--", ""], "there is no command to run"],
  ])("refuses %j, as of a variable that is not set", async (args, expected) => {
    const registry = ["--registry", "img://127.0.0.1:5000/app"];
    const { status, noted, left } = await run(["server", ...registry, ...args]);

    expect(noted[0]).toContain(expected);
    expect(status).toBe(2);
    expect(left).toEqual([]);
  });

  it("does not fail when an agent is told to stop", async () => {
    const { url } = await serve(() => stop.abort(new Error("told to stop by SIGTERM")));
    const stop = new AbortController();
    const line = ["server", "--registry", `img://${url.host}/app`, "-l", "error", "--", "app"];

    expect(await run(line, { signal: stop.signal })).toMatchObject({ status: 0, noted: [] });
  });

  it("refuses to push an empty file", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "app_linux_amd64"), "");
    const line = ["push", "app_linux_amd64", "img://127.0.0.1:1/app:v1.0.0"];

    expect(await run(line, { directory })).toMatchObject({
      status: 2,
      noted: [expect.stringContaining("it is empty")],
    });
  });

  it.each([
    ["releases", "nothing can be kept in"],
    ["current", "is not a symbolic link"],
    [".dewy", "nothing can be kept in"],
  ])("refuses a directory where %s is a file", async (name, expected) => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, name), "");

    const { status, noted } = await run(
      ["server", "--registry", "img://127.0.0.1:5000/app", "--", "app"],
      { directory },
    );

    expect(noted).toEqual([expect.stringContaining(expected)]);
    expect(status).toBe(2);
  });

  it("ends well when a daemon is told to stop", async () => {
    const args = ["server", "--registry", "img://127.0.0.1:5000/app", "-l", "error", "--", "app"];

    expect(await run(args, { signal: AbortSignal.abort(new Error("told to stop")) })).toMatchObject(
      {
        status: 0,
        noted: [],
      },
    );
  });

  it.each([
    ["linux/aarch64", "linux/arm64"],
    ["linux/x86_64", "linux/amd64"],
    ["linux/arm/v6", "linux/arm/v6"],
    ["solaris/sparc", "solaris/sparc"],
  ])("pushes for %s what hosts of %s look for", async (platform, expected) => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "app"), "bytes");
    const { host } = await serveFakeOciRegistry();

    const push = ["push", "app", `img://${host}/app:v1.0.0`, "--platform", platform];

    expect(await run(push, { directory })).toMatchObject({
      status: 0,
      printed: [`app  ${expected}`, expect.stringContaining(`img://${host}/app:v1.0.0  sha256:`)],
    });
  });

  it("fails when it is told to stop before a push is done", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "app.tar.gz"), "bytes");
    const signal = AbortSignal.abort(new Error("told to stop by SIGINT"));

    const push = run(["push", "app.tar.gz", "img://127.0.0.1:5000/app:v1.0.0"], {
      directory,
      signal,
    });

    expect(await push).toMatchObject({
      status: 1,
      printed: [],
      noted: ["dewy: told to stop by SIGINT before it was done"],
    });
  });

  it("names file, line and column of a mistake in a config file", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "config.yml"), "version: 0.1\nstorag:\n  inmemory: {}\n");

    const { status, noted } = await run(["registry", "serve", "config.yml"], { directory });

    expect(noted.join("\n")).toMatch(/config\.yml:2:1: .*storag.*storage/);
    expect(status).toBe(2);
  });

  it.each([["--version"], ["-v"]])("prints its version for %s", async (flag) => {
    expect(await run([flag])).toMatchObject({
      status: 0,
      printed: [`dewy version: ${version()}`],
    });
  });

  it.each([
    ["--help", ["server", "push", "registry", "--version"]],
    ["help", ["server", "push", "registry", "--version"]],
    ["help server", ["--registry <URL>"]],
    ["server --help", ["--registry <URL>", "-p, --port <PORTS>", "-i, --interval", "--drain-time"]],
    ["push --help", ["--insecure"]],
    ["registry --help", ["serve"]],
    ["registry serve --help", ["config.yml", "127.0.0.1:5000"]],
  ])("explains itself for %s", async (line, words) => {
    const { status, printed } = await run(line.split(" "));

    for (const word of words) expect(printed.join("\n")).toContain(word);
    expect(status).toBe(0);
  });

  it("keeps the headings of its help in order", async () => {
    const { printed } = await run(["server", "--help"]);

    expect(printed.join("\n").match(/^[A-Z][a-z A-Z]*:$/gm)).toEqual([
      "What to deploy:",
      "What vouches for a release:",
      "Where and how it runs:",
      "How a release proves itself:",
      "Waves of a fleet:",
      "Hooks and notices:",
      "The agent itself:",
      "Options:",
    ]);
  });
});

/** Runs a command line in a directory of its own. */
async function run(args: string[], options: { directory?: string; signal?: AbortSignal } = {}) {
  const directory = options.directory ?? (await temporaryDirectory());
  const before = await readdir(directory);
  const printed: string[] = [];
  const noted: string[] = [];
  const status = await main(args, {
    print: (line) => printed.push(line),
    note: (line) => noted.push(line),
    terminal: undefined,
    environment: { HOME: directory },
    directory,
    signal: options.signal ?? AbortSignal.timeout(10_000),
    onRestart: () => () => {},
    clock: systemClock,
  });
  const after = await readdir(directory);
  return { status, printed, noted, left: after.filter((name) => !before.includes(name)) };
}

const temporaryDirectory = () => mkdtemp(join(tmpdir(), "dewy-cli-"));
