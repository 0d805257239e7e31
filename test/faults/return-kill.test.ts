import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startLoad } from "../../bench/load.ts";
import { until } from "../../bench/stage.ts";
import { readHistory } from "../../src/agent/history/read-history.ts";
import { endingOnce } from "./ending-app.ts";
import { ended, openKeptStage } from "./kept-agents.ts";

/** Kills its agent when it is run first, and leaves a line when it has come to its end. */
const hook = "[ -e killed ] || { touch killed; kill -9 $PPID; sleep 60; }; echo $DEWY_TAG >>hooked";
const harmless = "echo $DEWY_TAG >>hooked";

describe.skipIf(process.platform !== "linux")(
  "an agent that is killed while it takes a release back",
  { timeout: 120_000 },
  () => {
    let host: Awaited<ReturnType<typeof openKeptStage>>;

    beforeEach(async () => {
      host = await openKeptStage();
    });
    afterEach(() => host.stage.close());

    it.each([
      ["after the verdict, before the old release is started", "rolled back", harmless],
      ["before everybody is told of the verdict", "release quarantined", harmless],
      ["inside the rollback hook", "nowhere", hook],
      ["after the hook, before the registry is told", "hook ended", harmless],
    ])(
      "for its crashes, %s, leaves the rest to the next one",
      async (_when, step, rollbackHook) => {
        const first = await host.started();
        await host.isCommitted("v1.0.0");
        await host.killed(first);
        const load = startLoad({ url: host.app, keepAlive: 2, fresh: 2 });
        await host.stage.push("v2.0.0", { "server.js": await endingOnce(isCommitted) });

        const dying = host.agentDyingAt(step, { ROLLBACK_HOOK: rollbackHook });
        await ended(dying);
        expect(dying.signalCode).toBe("SIGKILL");
        expect(await host.ledger()).toMatchObject({
          active: { tag: "v1.0.0" },
          untoldReturn: { bad: { tag: "v2.0.0" } },
        });
        await host.started(undefined, [...options, "--rollback-hook", rollbackHook]);

        await host.answers("v1.0.0");
        await until("all is told", async () => (await host.ledger()).untoldReturn === undefined);
        await until("the hook has come to its end", async () => (await hooked()).length > 0);
        const { failures } = await load.stop();
        expect(failures).toEqual([]);
        expect((await host.ledger()).quarantined).toMatchObject([{ tag: "v2.0.0", failures: 1 }]);
        expect(await told()).toEqual(
          expect.arrayContaining(["rolled back v1.0.0", "release quarantined v2.0.0"]),
        );
      },
    );

    it("before its commit, inside the rollback hook, is followed by one that runs the hook to its end", async () => {
      const first = await host.started();
      await host.isCommitted("v1.0.0");
      await host.killed(first);
      const load = startLoad({ url: host.app, keepAlive: 2, fresh: 2 });
      await host.stage.push("v2.0.0", { "server.js": "process.exit(3);\n" });

      const dying = host.agentDyingAt("nowhere", { ROLLBACK_HOOK: hook });
      await ended(dying);
      expect(dying.signalCode).toBe("SIGKILL");
      expect(await hooked()).toEqual([]);
      await host.started(undefined, [...options, "--rollback-hook", hook]);

      await until("it is in quarantine", async () => {
        return (await host.ledger()).quarantined?.[0]?.tag === "v2.0.0";
      });
      const { failures } = await load.stop();
      expect(failures).toEqual([]);
      expect(await hooked()).toEqual(["v2.0.0"]);
      await host.answers("v1.0.0");
    });

    async function hooked(): Promise<string[]> {
      const text = await readFile(join(host.root, "hooked"), "utf8").catch(() => "");
      return text.split("\n").filter(Boolean);
    }

    async function told(): Promise<string[]> {
      const lines: string[] = [];
      for await (const { event, tag } of readHistory(host.root, {}, new AbortController())) {
        lines.push(`${event} ${tag}`);
      }
      return lines;
    }
  },
);

const options = [
  ...["-i", "1", "-l", "info", "--handover", "--failure-limit", "1", "--crash-limit", "1"],
];

const isCommitted = 'JSON.parse(readFileSync(".dewy/ledger.json", "utf8")).active?.tag === version';
