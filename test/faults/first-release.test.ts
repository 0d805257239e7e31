import { expect, it } from "vitest";
import { ask, outcomeOf, until } from "../../src/agent/supervisor/sample-app.fake.ts";
import { openHost, serving } from "./release-host.ts";

const closings = ({ logger }: Awaited<ReturnType<typeof openHost>>): number =>
  logger.messages("info").filter((line) => line.startsWith("Connections are refused")).length;

it.each([
  { what: "ends with status 1", body: "process.exit(1)", health: {} },
  { what: "never listens", body: "setInterval(() => {}, 1000);", health: { timeoutMs: 2_000 } },
])("refuses connections where the only release $what", async ({ body, health }) => {
  const host = await openHost({ first: body, health });

  await until(() => closings(host) === 2); // before the first try, and after it

  expect(await outcomeOf(host.port())).toBe("ECONNREFUSED");
  await until(async () => (await host.ledger()).quarantined?.length === 1);
});

it("says where to look when a release ends that wrote why", async () => {
  const host = await openHost({ first: 'console.error("no database"); process.exit(1)' });

  await until(async () => (await host.history().catch(() => [])).length > 0);

  expect((await host.history())[0]?.error).toMatch(/: dewy logs shows what it wrote$/);
});

it("takes connections again with the next release", async () => {
  const host = await openHost({ first: "process.exit(1)" });
  await until(() => closings(host) === 2);

  await host.publish("v1.0.1", serving);

  await until(() => host.runs("v1.0.1"));
});

it("refuses no connection while an app that was in service is started again", async () => {
  const host = await openHost({
    first: `${serving} servers[0].on("request", ({ url }) => url === "/die" && process.exit(1));`,
  });
  await until(() => host.runs("v1.0.0"));
  const port = host.port();

  for (let times = 0; times < 2; times++) {
    await ask(port, "/die").catch(() => {});
    expect(await ask(port)).toBe("v1.0.0");
  }

  expect(closings(host)).toBe(1);
});
