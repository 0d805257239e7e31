import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { AgentEvent } from "../../src/agent/event.ts";
import { openHistory } from "../../src/agent/history/history.ts";
import { FakeClock } from "../../src/base/clock.fake.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { main } from "../../src/cli/main.ts";

describe("dewy history", () => {
  let directory: string;
  let clock: FakeClock;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "dewy-history-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    clock = new FakeClock(new Date("2026-11-20T00:00:00Z"));
  });

  it("is a table, the newest last", async () => {
    await record("web", [deployed("v1.0.0"), deployed("v1.1.0", "v1.0.0"), failed("v1.2.0")]);

    const { status, printed, noted } = await run("-d", "web");

    expect(printed.map((line) => line.slice(28))).toEqual([
      "APP  TAG              RESULT    TOOK   BY    ERROR",
      "web  v1.0.0           deployed  1.5 s  poll",
      "web  v1.1.0 ← v1.0.0  deployed  1.5 s  poll",
      "web  v1.2.0           failed    1.5 s  poll  it did not start",
    ]);
    expect({ status, noted }).toEqual({ status: 0, noted: [] });
  });

  it("is one JSON object a line for programs", async () => {
    await record("web", [deployed("v1.0.0"), failed("v1.1.0")]);

    const { printed } = await run("-d", "web", "--json");

    const entries = printed.map((line) => JSON.parse(line));
    expect(entries.map(({ event, tag, error }) => [event, tag, error])).toEqual([
      ["deployed", "v1.0.0", undefined],
      ["deployment failed", "v1.1.0", "it did not start"],
    ]);
    expect(entries[0]).toMatchObject({ version: 1, host: "h1", registry: "ghr://o/web" });
  });

  it.each([
    [["--tag", "v1.0.0"], ["v1.0.0"]],
    [["--failed"], ["v1.2.0"]],
    [["--since", "90m"], ["v1.2.0"]],
    [["--since", "2026-11-20T01:30Z"], ["v1.2.0"]],
    [
      ["--limit", "2"],
      ["v1.1.0", "v1.2.0"],
    ],
    [["--app", "web", "--limit", "1"], ["v1.2.0"]],
    [["--app", "other"], []],
  ])("shows only what is asked for: %j", async (args, tags) => {
    await record("web", [deployed("v1.0.0"), deployed("v1.1.0"), failed("v1.2.0")]);

    const { status, printed } = await run("-d", "web", "--json", ...args);

    expect(printed.map((line) => JSON.parse(line).tag)).toEqual(tags);
    expect(status).toBe(0);
  });

  it("says that older ones are left out of a table", async () => {
    await record(
      "web",
      Array.from({ length: 130 }, (_, patch) => deployed(`v1.0.${patch}`)),
    );

    const short = await run("-d", "web");
    const long = await run("-d", "web", "--limit", "1000");

    expect(short.printed).toHaveLength(101);
    expect(short.printed[1]).toContain("v1.0.30 ");
    expect(short.noted).toEqual([expect.stringContaining("left out 30 older ones")]);
    expect(long.printed).toHaveLength(131);
    expect(long.noted).toEqual([]);
  });

  it.each([
    ["nothing was deployed", [], "there is no history yet"],
    ["nothing matches", [deployed("v1.0.0")], "nothing in the history matches"],
  ])("says so when %s, and is no failure", async (_what, events, sentence) => {
    await record("web", events);
    await mkdir(join(directory, "web", ".dewy"), { recursive: true });

    const { status, printed, noted } = await run("-d", "web", "--tag", "v9.9.9");

    expect({ status, printed }).toEqual({ status: 0, printed: [] });
    expect(noted).toEqual([expect.stringContaining(sentence)]);
  });

  it("says that there are lines which it cannot read", async () => {
    await record("web", [deployed("v1.0.0")]);
    await writeFile(join(directory, "web", ".dewy", "history.jsonl.1"), "what?\n{}\n");

    const { printed, noted } = await run("-d", "web", "--json");

    expect(printed).toHaveLength(1);
    expect(noted).toEqual([expect.stringContaining("left out 2 lines")]);
  });

  it("fails, with a sentence, where the history cannot be read", async () => {
    await mkdir(join(directory, "web", ".dewy", "history.jsonl"), { recursive: true });

    const { status, noted } = await run("-d", "web");

    expect(status).toBe(1);
    expect(noted).toEqual([expect.stringMatching(/^dewy: the history in .*web cannot be read/)]);
  });

  it.each([
    [["-d", "nowhere"], "dewy has never deployed anything in"],
    [[], "name the directory of an app"],
    [["-d", ""], "--directory: name a directory"],
    [["-d", "web", "--since", "soon"], "--since: soon is no time"],
    [["-d", "web", "--limit", "0"], "--limit: write how many"],
    [["-d", "web", "--limit", "many"], "--limit: write how many"],
    [["web"], "too many arguments"],
    [["--registry", "ghr://o/web"], "--registry is what --remote asks"],
    [["--remote"], "--registry is missing"],
    [["-d", "web", "--config", "dewy.yaml"], "leave one of them out"],
    [["--config", "missing.yaml"], "missing.yaml cannot be read"],
    [["--remote", "--registry", "ftp://o/web"], "there is no release registry ftp://"],
    [["--remote", "--registry", "ghr://o/web", "--failed"], "a registry keeps only what succeeded"],
    [
      ["--remote", "--registry", "ghr://o/web", "--app", "web"],
      "--app has no meaning for a registry",
    ],
    [["--remote", "--registry", "ghr://o/web", "-d", "web"], "leave one of them out"],
    [
      ["--remote", "--registry", "grpc://127.0.0.1:1?no-tls=true"],
      "no record of deployments is kept by grpc://",
    ],
  ])("refuses %j", async (args, sentence) => {
    await record("web", [deployed("v1.0.0")]);

    const { status, printed, noted } = await run(...args);

    expect({ status, printed }).toEqual({ status: 2, printed: [] });
    expect(noted).toEqual([expect.stringContaining(sentence)]);
  });

  it("is that of all apps of a dewy.yaml, by time", async () => {
    await writeFile(
      join(directory, "dewy.yaml"),
      "command: [app]\napps:\n  web: { registry: ghr://o/web }\n" +
        "  api: { registry: ghr://o/api }\n  new: { registry: ghr://o/new }\n",
    );
    await record("web", [deployed("v1.0.0")]);
    await record("api", [deployed("v2.0.0")]);
    await record("web", [deployed("v1.1.0", "v1.0.0")]);

    const all = await run("--json");
    const one = await run("--json", "--config", "dewy.yaml", "--app", "api");

    const shown = ({ printed }: typeof all) =>
      printed.map((line) => JSON.parse(line)).map(({ app, tag }) => `${app} ${tag}`);
    expect(shown(all)).toEqual(["web v1.0.0", "api v2.0.0", "web v1.1.0"]);
    expect(shown(one)).toEqual(["api v2.0.0"]);
  });

  it("asks the registries of a dewy.yaml, and names an app that is not in it", async () => {
    await writeFile(
      join(directory, "dewy.yaml"),
      "command: [app]\napps:\n  web: { registry: 'grpc://127.0.0.1:1?no-tls=true' }\n" +
        "  api: { registry: 'grpc://127.0.0.1:2?no-tls=true' }\n",
    );

    expect((await run("--remote")).noted[0]).toMatch(/kept by grpc:\/\/\S+:1, grpc:\/\/\S+:2:/);
    expect((await run("--remote", "--app", "api")).noted[0]).toMatch(/kept by grpc:\/\/\S+:2:/);
    expect((await run("--remote", "--app", "x")).noted[0]).toContain("choose from: web, api");
  });

  /** Writes `events` down as the agent of `app` does, an hour apart. */
  async function record(app: string, events: readonly AgentEvent[]): Promise<void> {
    const history = openHistory(join(directory, app), {
      clock,
      logger: silentLogger,
      identity: { app, host: "h1", mode: "server" },
    });
    history.observe({ type: "started", version: "0.1.0", registry: `ghr://o/${app}`, ports: [] });
    for (const event of events) {
      history.observe(event);
      await clock.advance(3_600_000);
    }
    await history.close({ signal: AbortSignal.timeout(5_000) });
  }

  async function run(...args: string[]) {
    const printed: string[] = [];
    const noted: string[] = [];
    const status = await main(["history", ...args], {
      print: (line) => printed.push(line),
      note: (line) => noted.push(line),
      terminal: undefined,
      environment: {},
      directory,
      signal: AbortSignal.timeout(10_000),
      onRestart: () => () => {},
      clock,
    });
    return { status, printed, noted };
  }
});

function deploymentOf(tag: string, previousTag?: string) {
  return {
    tag,
    previousTag,
    artifact: "web.tar.gz",
    identity: "sha256:1",
    digest: undefined,
    directory: undefined,
    startedAt: new Date("2026-11-20T00:00:00Z"),
    durationMs: 1500,
  };
}

function deployed(tag: string, previousTag?: string): AgentEvent {
  return { type: "deployed", deployment: deploymentOf(tag, previousTag) };
}

function failed(tag: string): AgentEvent {
  const error = new Error("it did not start");
  return { type: "deployment failed", deployment: deploymentOf(tag), error, failures: 1 };
}
