import { expect, it, vi } from "vitest";
import { askAgent } from "../control/control-client.ts";
import { Outcome } from "../control/control-request.ts";
import { Situation } from "../control/situation.ts";
import { broken, openGroupHost, well } from "./group-host.fake.ts";

const soon = { timeout: 60_000, interval: 50 };
const all = { database: well, api: well, web: well };

it("moves together, in the order of its apps, as soon as each has the release", async () => {
  const host = await openGroupHost();
  host.publish("v1.0.0", all);
  await host.start();
  await vi.waitFor(async () => expect(await host.active()).toEqual(three("v1.0.0")), soon);

  host.publish("v1.1.0", { database: well, web: well });
  await vi.waitFor(async () => {
    const { poll } = await situation(host, "web");
    expect(poll?.passedOver[0]).toMatchObject({
      tag: "v1.1.0",
      reason: "api of the group shop has no such release for this host",
    });
  }, soon);
  expect(await host.active()).toEqual(three("v1.0.0"));
  host.publish("v1.1.0", { api: well });
  await vi.waitFor(async () => expect(await host.active()).toEqual(three("v1.1.0")), soon);

  const started = host.logger.lines
    .filter(({ message, fields }) => message === "Create symlink" && fields.app)
    .map(({ fields }) => fields.app);
  expect(started).toEqual(["database", "api", "web", "database", "api", "web"]);
  expect((await situation(host, "api")).group).toEqual({
    name: "shop",
    apps: ["database", "api", "web"],
  });
});

it.each([
  ["none moves when one cannot be unpacked", "api", undefined],
  ["all return when one in the middle does not stay up", "api", broken],
  ["all return when the last one does not stay up", "web", broken],
])("%s, and none tries again", async (_title, name, body) => {
  const host = await openGroupHost();
  host.publish("v1.0.0", all);
  await host.start();
  await vi.waitFor(async () => expect(await host.active()).toEqual(three("v1.0.0")), soon);

  host.publish("v1.1.0", { ...all, [name]: body ?? "" });
  if (body === undefined) host.tamper(name);
  await vi.waitFor(async () => {
    for (const { name: each } of host.apps) {
      const { poll } = await situation(host, each);
      expect(poll?.passedOver).toContainEqual({
        tag: "v1.1.0",
        reason: expect.stringContaining("in quarantine since"),
      });
    }
  }, soon);

  expect(await host.active()).toEqual(three("v1.0.0"));
  expect(await host.current()).toEqual(three("v1.0.0"));
  // What never came to the others, since it failed before, is held by the ledger of that one.
  if (body === undefined) return;
  expect((await host.ledger("database")).quarantined?.[0]?.reason).toContain(
    `the group shop does not move to v1.1.0: ${name}: `,
  );
});

it("goes back as a whole when one of it crashes after its deployment", async () => {
  const host = await moved();

  await host.crash("api");
  await vi.waitFor(async () => expect(await host.active()).toEqual(three("v1.0.0")), soon);
  await host.uncrash("api");

  expect((await host.ledger("web")).quarantined?.[0]?.reason).toContain(
    "api of the group shop was taken back: v1.1.0 died within",
  );
});

it("heeds what a person decides about one of it", async () => {
  const host = await moved();
  const call = new AbortController();

  const { said } = await askAgent(
    host.directoryOf("web"),
    "rollback",
    { by: "alice" },
    Outcome,
    call,
  );
  await vi.waitFor(async () => expect(await host.active()).toEqual(three("v1.0.0")), soon);
  expect(said).toContain("v1.0.0 is in service and pinned");
  expect((await host.ledger("database")).pinned).toMatchObject({ tag: "v1.0.0", by: "alice" });

  await askAgent(host.directoryOf("api"), "unpin", {}, Outcome, call);
  await vi.waitFor(async () => expect(await host.active()).toEqual(three("v1.1.0")), soon);
});

/** A group that has gone from v1.0.0 to v1.1.0. */
async function moved(): Promise<Awaited<ReturnType<typeof openGroupHost>>> {
  const host = await openGroupHost();
  host.publish("v1.0.0", all);
  await host.start();
  await vi.waitFor(async () => expect(await host.active()).toEqual(three("v1.0.0")), soon);
  host.publish("v1.1.0", all);
  // Until the last ledger has it, a crash is a failure of the move, and none of what was deployed.
  await vi.waitFor(() => expect(host.inService("v1.1.0")).toHaveLength(3), soon);
  return host;
}

function three(tag: string): string[] {
  return [tag, tag, tag];
}

function situation(host: Awaited<ReturnType<typeof openGroupHost>>, name: string) {
  return askAgent(host.directoryOf(name), "status", {}, Situation, new AbortController());
}
