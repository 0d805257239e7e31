import { execFileSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { planned } from "./main.fake.ts";

const registry = "registry: ghr://linyows/myapp\n";

describe("dewy.yaml", () => {
  it("describes one app in the words of the options", async () => {
    const { plan, directory } = await read(
      `${registry}command: [current/app, -v]
port: [8000, "8001-8003"]
interval: 1m30s
drain-time: 5
directory: app
scrub-env: true
notifier: slack://general
log-level: WARN
telemetry: true
admin-port: 9000
`,
      ["run"],
    );

    expect(plan?.process).toEqual({
      logLevel: "warn",
      logFormat: "text",
      telemetry: { endpoint: undefined, insecure: false },
      adminPort: 9000,
    });
    expect(plan?.apps).toEqual([
      expect.objectContaining({
        name: "myapp",
        mode: "server",
        registry: "ghr://linyows/myapp",
        command: ["current/app", "-v"],
        ports: [8000, 8001, 8002, 8003],
        intervalMs: 90_000,
        drainMs: 5000,
        directory: join(directory, "app"),
        scrubEnvironment: true,
        notifiers: ["slack://general"],
      }),
    ]);
  });

  it("describes several apps, which may say otherwise than what is said of all", async () => {
    const { plan, directory } = await read(
      `interval: 60
drain-time: 5
apps:
  web: { registry: ghr://a/web, port: 8000, command: [current/web], interval: 5 }
  pages: { registry: ghr://a/pages, mode: assets, directory: /var/www }
`,
      ["run"],
    );

    expect(plan?.apps).toMatchObject([
      { name: "web", mode: "server", intervalMs: 5000, directory: join(directory, "web") },
      { name: "pages", mode: "assets", intervalMs: 60_000, directory: "/var/www", command: [] },
    ]);
  });

  it("gives each app a directory of its own below one that is said of all", async () => {
    const { plan, directory } = await read(
      `directory: srv\nmode: assets\napps:\n  a: { registry: ghr://o/a }\n  b: { registry: ghr://o/b }\n`,
      ["run"],
    );

    expect(plan?.apps.map((app) => app.directory)).toEqual([
      join(directory, "srv", "a"),
      join(directory, "srv", "b"),
    ]);
  });

  it.each([
    ["the command line", ["-i", "1", "-p", "1"], {}, { intervalMs: 1000, ports: [1] }],
    [
      "a variable",
      [],
      { DEWY_INTERVAL: "2", DEWY_PORT: "2-3,5" },
      { intervalMs: 2000, ports: [2, 3, 5] },
    ],
    ["the file", [], { DEWY_INTERVAL: "" }, { intervalMs: 3000, ports: [4] }],
    ["the command line", ["-i", "1"], { DEWY_INTERVAL: "2" }, { intervalMs: 1000, ports: [4] }],
    ["a switch", ["--scrub-env=false"], { DEWY_SCRUB_ENV: "yes" }, { scrubEnvironment: false }],
    [
      "a list",
      [],
      { DEWY_NOTIFIER: "slack://a\nslack://b" },
      { notifiers: ["slack://a", "slack://b"] },
    ],
  ] as const)(
    "is overruled as it should be: %s says %j %j",
    async (_who, args, environment, expected) => {
      const text = `${registry}interval: 3\nport: 4\n`;
      const { plan } = await read(text, ["server", ...args, "--", "app"], environment);

      expect(plan?.apps).toMatchObject([expected]);
    },
  );

  it("is read where --config or DEWY_CONFIG says, and its paths are relative to it", async () => {
    const { directory } = await read("", ["config", "check"]);
    const path = join(directory, "dewy.yaml");
    await writeFile(path, `${registry}directory: there\ncommand: [app]\n`);

    const named = await planned(["server", "--config", path], { directory: "/" });
    const told = await planned(["run"], { directory: "/", environment: { DEWY_CONFIG: path } });

    for (const { plan } of [named, told]) {
      expect(plan?.apps).toMatchObject([{ directory: join(directory, "there"), command: ["app"] }]);
    }
  });

  it("may be read anew", async () => {
    const { directory, plan } = await read(`${registry}command: [app]\n`, ["run"]);
    await writeFile(join(directory, "dewy.yaml"), `${registry}command: [other]\n`);

    expect(plan?.source?.path).toBe(join(directory, "dewy.yaml"));
    expect((await plan?.source?.read())?.apps).toMatchObject([{ command: ["other"] }]);
  });

  it.each([
    ["intervall: 5\n", "dewy.yaml:1:1: intervall: there is no such key; did you mean interval"],
    [
      "log_level: debug\n",
      "dewy.yaml:1:1: log_level: there is no such key; did you mean log-level",
    ],
    ["interval: 0\n", "dewy.yaml:1:1: interval: ask once a second at the most: write 1 or more"],
    ["constraint: 1.20\n", "dewy.yaml:1:1: constraint: write a text here"],
    ["command: current/app -v\n", "command: write a list, such as [current/app, -v]"],
    [
      "command: [app, -p, 8000]\n",
      "dewy.yaml:1:20: command.2: write a text: put a number in quotes",
    ],
    ["port: [8000, 70000]\n", "port: no such port: 70000"],
    ["telemetry: perhaps\n", "telemetry: write true or false"],
    ["config: other.yaml\n", "config: there is no such key"],
    ["registry: nowhere\n", "dewy.yaml:1:1: registry: write it as scheme://place"],
    ["mode: containers\n", "dewy.yaml:1:1: mode: choose one of: server, assets, container"],
    [registry, "dewy.yaml:1:1: (top level): there is no command to run"],
    ["command: [app]\n", "registry is missing"],
    [
      `${registry}mode: assets\ncommand: [app]\n`,
      "dewy.yaml:3:1: command: dewy assets places files",
    ],
    [
      `${registry}mode: assets\nport: 80\n`,
      "dewy.yaml:3:1: port: dewy assets starts nothing, and takes no port",
    ],
    ["apps: [{ registry: ghr://a/b }]\n", "dewy.yaml:1:1: apps: write a mapping of names to apps"],
    ["apps: { a: [b] }\n", "dewy.yaml:1:9: apps.a: write a mapping"],
    ["apps: {}\n", "dewy.yaml:1:1: apps: name at least one app"],
    [
      "apps:\n  web:\n    registri: x\n",
      "dewy.yaml:3:5: apps.web.registri: there is no such key; did you mean registry",
    ],
    [
      "apps:\n  web:\n    log-level: info\n",
      "dewy.yaml:3:5: apps.web.log-level: there is no such key",
    ],
    ["apps:\n  web:\n    command: [x]\n", "dewy.yaml:2:3: apps.web: registry is missing"],
    [
      "apps:\n  web: { registry: ghr://a/b }\n",
      "dewy.yaml:2:3: apps.web: there is no command to run",
    ],
    [
      "name: x\napps:\n  web: { registry: ghr://a/b, mode: assets }\n",
      "dewy.yaml:1:1: name: each app is called by its key",
    ],
    ["- web\n", "(top level): write a mapping"],
    ["port: [\n", "dewy.yaml:2:1: "],
    ["a: b\n---\nc: d\n", "dewy.yaml:2:1: a second document begins here"],
    [`port: ${"[".repeat(50_000)}`, "it is nested too deeply"],
    [
      "apps:\n  web: { registry: ghr://a/b, mode: assets }\n  constructor: { bogus: 1 }\n",
      "dewy.yaml:3:3: apps.constructor: no app can be called so",
    ],
    ["apps:\n  __proto__: { mode: assets }\n", "dewy.yaml:2:3: apps.__proto__: no app can be"],
  ])("is refused with the place of the mistake: %j", async (text, expected) => {
    const { status, noted, plan } = await read(text, ["run"]);

    expect(noted.join("\n")).toContain(expected);
    expect(status).toBe(2);
    expect(plan).toBeUndefined();
  });

  it("is not waited for where it is a pipe that nobody writes to", async () => {
    const path = join(await mkdtemp(join(tmpdir(), "dewy-yaml-")), "dewy.yaml");
    execFileSync("mkfifo", [path]);

    const { status, noted } = await planned(["config", "check", path]);

    expect({ status, noted }).toEqual({ status: 2, noted: [expect.stringContaining("a pipe")] });
  });

  it.each([
    [["server", "--", "app"], "run them by dewy run dewy.yaml"],
    [["assets"], "run them by dewy run dewy.yaml"],
  ])("with several apps is not for %j", async (args, expected) => {
    const { status, noted } = await read(
      "apps:\n  a: { registry: ghr://a/b, mode: assets }\n",
      args,
    );

    expect({ status, noted }).toEqual({ status: 2, noted: [expect.stringContaining(expected)] });
  });

  it("that is not there, or endless, is refused", async () => {
    const missing = await planned(["run", "missing.yaml"], { directory: "/" });
    const endless = await planned(["run", "/dev/zero"], { directory: "/" });
    const none = await planned(["run"], { directory: await mkdtemp(join(tmpdir(), "dewy-yaml-")) });

    expect(missing).toMatchObject({
      status: 2,
      noted: [expect.stringContaining("missing.yaml cannot be read")],
    });
    expect(endless.noted).toEqual([expect.stringContaining("it is no such file")]);
    expect(none).toMatchObject({
      status: 2,
      noted: [expect.stringContaining("there is no dewy.yaml here")],
    });
  });
});

/** Calls `dewy` with `args` where `text` is the `dewy.yaml`. */
async function read(text: string, args: readonly string[], variables = {}) {
  const environment = { GITHUB_TOKEN: "token", ...variables };
  const directory = await mkdtemp(join(tmpdir(), "dewy-yaml-"));
  await writeFile(join(directory, "dewy.yaml"), text);
  return { directory, ...(await planned(args, { directory, environment })) };
}
