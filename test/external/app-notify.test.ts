import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { speaksWhenTold, started } from "../../src/agent/readiness/notification.fake.ts";
import { until } from "../../src/agent/supervisor/sample-app.fake.ts";
import { describeWith } from "../component.ts";

describeWith("systemd-notify", "systemd-socket-activate")("an app that speaks by sd_notify", () => {
  it("is ready when it has said READY=1, and tells its status until then", async ({ signal }) => {
    const notify = 'const { execFileSync: run } = require("node:child_process");';
    const say = (...words: string[]) => `run("systemd-notify", ${JSON.stringify(words)})`;
    const app = `${notify} ${say("STATUS=loading a=b")};`;
    const { notification } = await started(
      { by: "systemd" },
      speaksWhenTold(app, say("READY=1", "STATUS=open")),
      signal,
    );

    await until(() => notification.missing.endsWith("STATUS=loading a=b"));
    expect(notification.isReady).toBe(false);
    notification.tell();
    await until(() => notification.isReady);
  });

  it("leaves no socket behind, whether it has spoken or not", async ({ signal }) => {
    const { notification, replacement } = await started(
      { by: "systemd" },
      "setInterval(() => {}, 1000)",
      signal,
    );
    const socket = notification.variables.NOTIFY_SOCKET ?? "";
    const directory = socket.replace(/^.*\/(.*)\/socket$/, "$1");
    expect(await readdir(tmpdir())).toContain(directory);

    await replacement.undo();

    await until(async () => !(await readdir(tmpdir())).includes(directory));
  });
});
