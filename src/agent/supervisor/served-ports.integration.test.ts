import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../../bench/free-port.ts";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openKeptPorts } from "./kept-ports.ts";
import { openListeners } from "./listeners.ts";
import { outcomeOf } from "./sample-app.fake.ts";
import { openServedPorts, type ServedPorts } from "./served-ports.ts";

it.each([false, true])(
  "close, and are opened under the same number, with a keeper: %s",
  async (handover) => {
    const served = await portsWith(handover);
    const [port = 0] = served.ports;
    expect(await outcomeOf(port)).toBe("connected");

    await served.close();
    expect(served.sockets).toEqual([]);
    expect(await outcomeOf(port)).toBe("ECONNREFUSED");

    const opening = served.open(new AbortController());
    await Promise.all([opening, served.open(new AbortController())]);
    expect(served.sockets).toMatchObject([{ port }]);
    expect(await outcomeOf(port)).toBe("connected");
  },
);

it("are closed at last when that was asked for after they were to be opened", async () => {
  const served = await portsWith(true);
  const [port = 0] = served.ports;
  await served.close();

  await Promise.all([served.open(new AbortController()), served.close()]);

  expect(await outcomeOf(port)).toBe("ECONNREFUSED");
});

it("tell of an app in the background when somebody else listens there meanwhile", async () => {
  const served = await portsWith(false);
  const [port = 0] = served.ports;
  await served.close();
  const daemon = await openListeners([port], new AbortController());
  onTestFinished(() => daemon.close());

  await expect(served.open(new AbortController())).rejects.toMatchObject({
    code: "PORT_IN_USE",
    hint: expect.stringMatching(/^see who listens there.*; .*keep the app in the foreground$/),
  });
});

async function portsWith(handover: boolean): Promise<ServedPorts> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-served-"));
  const logger = new FakeLogger();
  const kept = openKeptPorts({ directory, handover, clock: systemClock, logger });
  const ports = [await freePort()];
  const listeners = await kept.listen(ports, new AbortController());
  const served = openServedPorts({ listeners, kept, ports, logger });
  onTestFinished(async () => {
    await served.close();
    await rm(directory, { recursive: true, force: true });
  });
  return served;
}
