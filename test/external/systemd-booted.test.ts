import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { ask, askHalfClosing, startLoad } from "../../bench/load.ts";
import { freePort, openStage, type Stage, until } from "../../bench/stage.ts";
import { describeWith } from "../component.ts";
import { bootSystemd, type Systemctl } from "./booted-systemd.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const examples = join(repository, "examples/systemd");
const service = "dewy-app.service";
const nobody = 65_534;

describe.skipIf(process.getuid?.() !== 0)("as root", { timeout: 240_000 }, () => {
  const programs = ["systemd-nspawn", "systemd-notify", "nsenter", "unshare", "mount"];
  describeWith(...programs)("the units of examples/systemd, in a booted systemd", () => {
    let stage: Stage;
    let port: number;
    let app: string;
    let systemctl: Systemctl;

    beforeEach(async () => {
      stage = await openStage();
      onTestFinished(() => stage.close());
      port = await freePort();
      app = `http://127.0.0.1:${port}/`;
      await stage.push("v1.0.0");
      systemctl = await booted(stage, port);
    });

    it("start the agent with the first connection; it is ready when the app is", async () => {
      const before = await systemctl("show", "-P", "ActiveState", service);

      const { body } = await ask(app);
      await isServing();

      expect(before).toBe("inactive");
      expect(body).toContain("v1.0.0");
      expect(await systemctl("show", "-P", "ActiveState", service)).toBe("active");
      expect(await systemctl("show", "-P", "User", service)).toBe("nobody");
    });

    it("fail no request when the service is restarted or its agent killed", async () => {
      await ask(app);
      await isServing();
      const load = startLoad({ url: app, keepAlive: 2, fresh: 2 });
      const slow = ask(`${app}slow?seconds=8`, { timeoutMs: 60_000 });
      const halfClosing = askHalfClosing(`${app}slow?seconds=8`);

      for (const act of [["restart"], ["kill", "-s", "KILL", "--kill-whom=main"], ["restart"]]) {
        const [apps, agent] = [load.soFar.answers.size, await mainPid()];
        await systemctl(...act, service);
        await until("there is another agent", async () => ![agent, "0"].includes(await mainPid()));
        await until("its app answers", async () => load.soFar.answers.size > apps);
        await isServing();
      }

      const { failures, answers } = await load.stop();
      expect(failures).toEqual([]);
      expect(answers.size).toBeGreaterThanOrEqual(4); // a process each
      expect((await slow).body).toContain("v1.0.0");
      expect(await halfClosing).toContain("v1.0.0");
    });

    it("replace an agent that hangs, by the watchdog, while the app serves", async () => {
      await ask(app);
      await isServing();
      const load = startLoad({ url: app, keepAlive: 1, fresh: 1 });
      const agent = await mainPid();

      await systemctl("kill", "-s", "STOP", "--kill-whom=main", service);
      await until(
        "there is another agent",
        async () => ![agent, "0"].includes(await mainPid()),
        90_000,
      );
      await until("its app answers", async () => load.soFar.answers.size > 1);

      expect((await load.stop()).failures).toEqual([]);
    });

    const mainPid = () => systemctl("show", "-P", "MainPID", service);

    const isServing = () =>
      until("the agent says that the release is active", async () => {
        return (await systemctl("show", "-P", "StatusText", service)).includes("v1.0.0 active");
      });
  });
});

/** The units as they are, but for the app they are about, the user, and a watchdog in a hurry. */
async function booted(stage: Stage, port: number): Promise<Systemctl> {
  const root = join(stage.directory, "served");
  await mkdir(root);
  await chown(root, nobody, nobody);
  const dewy = join(stage.directory, "dewy");
  await writeFile(dewy, '#!/bin/sh\nexec node /opt/dewy/dist/src/main.js "$@"\n');
  await chmod(dewy, 0o755);
  const units: Record<string, string> = {};
  for (const name of ["dewy-app.socket", service]) {
    const text = await readFile(join(examples, name), "utf8");
    const path = join(stage.directory, name);
    await writeFile(path, changed(text, stage, port));
    units[path] = `/etc/systemd/system/${name}`;
  }
  const node =
    dirname(process.execPath) === "/usr/bin" ? {} : { [process.execPath]: "/usr/local/bin/node" };
  return await bootSystemd("dewy-app.socket", {
    writable: { [root]: "/srv/app" },
    readOnly: { ...units, ...node, [repository]: "/opt/dewy", [dewy]: "/usr/local/bin/dewy" },
  });
}

function changed(unit: string, { registry }: Stage, port: number): string {
  const changes = [
    ["ghr://owner/app", `img://${registry}/sample-app -i 1`],
    ["8000", String(port)],
    ["current/app", "current/server.js"],
    ["User=app", "User=nobody"],
    ["WatchdogSec=120", "WatchdogSec=15"],
  ] as const;
  return changes.reduce((text, [from, to]) => text.replace(from, to), unit);
}
