import { readdir } from "node:fs/promises";
import { FakeLogger } from "../../base/logger.fake.ts";
import {
  directoryWithApp,
  listenersOn,
  supervisorIn,
  until,
} from "../supervisor/sample-app.fake.ts";
import { type NotifyBy, openNotify } from "./notification.ts";

/** After `app`, `say` when it gets SIGUSR2. */
export function speaksWhenTold(app: string, say: string): string {
  return `${app} process.on("SIGUSR2", () => { ${say} }); setInterval(() => {}, 1000);
    require("node:fs").writeFileSync("listens", "");`;
}

/** A generation that has stayed up for a moment. */
export async function started(by: NotifyBy, source: string, signal: AbortSignal, ports = 0) {
  const directory = await directoryWithApp();
  const notify = await openNotify(by, { directory, environment: process.env });
  const supervisor = await supervisorIn(directory, {
    ...{ logger: new FakeLogger(), notify, minimumUptimeMs: 1 },
    command: [process.execPath, "-e", source],
    ...(ports > 0 && { listeners: await listenersOn(ports, signal) }),
  });
  const replacement = await supervisor.start({ signal });
  if (source.includes("SIGUSR2")) {
    await until(async () => (await readdir(directory)).includes("listens"));
  }
  const { notification, pid } = replacement;
  if (!notification) throw new Error("nobody listens");
  const tell = () => process.kill(pid, "SIGUSR2");
  return { replacement, notification: Object.assign(notification, { tell }) };
}
