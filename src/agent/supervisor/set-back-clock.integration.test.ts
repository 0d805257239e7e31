import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { silentLogger } from "../../base/logger.ts";
import { identityOf } from "../../base/process-identity.ts";
import { directoryWithApp, supervisorIn, until, writeScript } from "./sample-app.fake.ts";

it("cuts off in time what does not end, although the clock is set back", async ({ signal }) => {
  const directory = await directoryWithApp();
  let setBackMs = 0;
  const now = () => new Date(Date.now() - setBackMs);
  const deaf = `sh -c 'trap "" TERM; echo $$ > child; sleep 61; :'`;
  await writeScript(directory, "app", `${deaf} & exec sleep 60`);
  const supervisor = await supervisorIn(directory, {
    command: ["./app"],
    drainMs: 300,
    logger: silentLogger,
    clock: { now, sleep: systemClock.sleep },
  });
  (await supervisor.start({ signal })).commit();
  const pid = () => readFile(join(directory, "child"), "utf8").then(Number, () => 0);
  await until(pid);

  const stopping = supervisor.stop();
  setBackMs = 3_600_000;
  await stopping;

  expect(await identityOf(await pid())).toBeUndefined();
});
