import { chmod, chown, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask, askHalfClosing, startLoad } from "../../bench/load.ts";
import { openStage, type Stage, until } from "../../bench/stage.ts";
import { askAgent } from "../../src/agent/control/control-client.ts";
import { Situation } from "../../src/agent/control/situation.ts";
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

    it("fail no request when the installed program is replaced under a running agent, and the service restarted", async () => {
      await ask(app);
      await isServing();
      const load = startLoad({ url: app, keepAlive: 2, fresh: 2 });
      const slow = ask(`${app}slow?seconds=8`, { timeoutMs: 60_000 });
      const agent = await mainPid();
      expect(await version()).toBe("98.0.0");

      await install(stage, "99.0.0");
      await stage.push("v1.1.0");
      await until("the old agent deploys all the same", async () => {
        return (await ask(app)).body.includes("v1.1.0");
      });
      const apps = load.soFar.answers.size;
      await systemctl("restart", service);
      await until("its app answers", async () => load.soFar.answers.size > apps);
      await until("the new version runs", async () => (await version()) === "99.0.0");

      expect(await mainPid()).not.toBe(agent);
      expect((await load.stop()).failures).toEqual([]);
      expect((await slow).body).toContain("v1.0.0");
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

    const version = async () => {
      const call = { signal: AbortSignal.timeout(10_000) };
      const root = join(stage.directory, "served");
      return (await askAgent(root, "status", {}, Situation, call)).agent?.version;
    };

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
  await writeFile(dewy, '#!/bin/sh\nexec node /opt/installed/dist/src/main.js "$@"\n');
  await chmod(dewy, 0o755);
  await install(stage, "98.0.0");
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
    writable: { [root]: "/srv/app", [join(stage.directory, "installed")]: "/opt/installed" },
    readOnly: { ...units, ...node, [repository]: "/opt/dewy", [dewy]: "/usr/local/bin/dewy" },
  });
}

/** As a package does: in the place of the files that the running agent was started from. */
async function install(stage: Stage, version: string): Promise<void> {
  const place = join(stage.directory, "installed");
  const unpacked = dirname(dirname(dirname(await stage.upgraded(version))));
  await rm(join(unpacked, "node_modules"));
  await symlink("/opt/dewy/node_modules", join(unpacked, "node_modules"));
  await mkdir(place, { recursive: true });
  for (const name of ["dist", "package.json", "node_modules"]) {
    await rm(join(place, name), { recursive: true, force: true });
    await rename(join(unpacked, name), join(place, name));
  }
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
