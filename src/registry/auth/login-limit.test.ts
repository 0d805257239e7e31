import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { type Attempt, LoginLimit } from "./login-limit.ts";

const alice = { address: "192.0.2.1", user: "alice" };

it("lets a password be mistyped as often as it may, and then asks for patience", async () => {
  const { limit } = limitOf(3);

  await fail(limit, alice, 2);
  expect(() => limit.check(alice)).not.toThrow();
  await fail(limit, alice, 1);

  expect(() => limit.check(alice)).toThrow(expect.objectContaining({ retryAfterMs: 1_000 }));
});

it("asks for twice as much after each further failure, up to five minutes", async () => {
  const { limit, clock } = limitOf(1);
  const waits: number[] = [];

  for (let round = 0; round < 11; round++) {
    await fail(limit, alice, 1);
    waits.push(waitOf(limit, alice));
    await clock.advance(waits.at(-1) ?? 0);
  }

  const doubled = [1, 2, 4, 8, 16, 32, 64, 128, 256];
  expect(waits).toEqual([...doubled, 300, 300].map((seconds) => seconds * 1000));
});

it("keeps nobody out for as long as the clock was ahead", async () => {
  const { limit, clock } = limitOf(1);
  await fail(limit, alice, 1);

  await clock.advance(-365 * 86_400_000);

  expect(() => limit.check(alice)).not.toThrow();
  await fail(limit, alice, 1);
  expect(waitOf(limit, alice)).toBe(1_000);
});

it.each<[string, Attempt]>([
  ["another address", { address: "192.0.2.2", user: "alice" }],
  ["another user", { address: "192.0.2.1", user: "bob" }],
  ["another network of IPv6", { address: "2001:db8:0:2::1", user: "alice" }],
])("does not keep out %s", async (_what, other) => {
  const { limit } = limitOf(1);
  await fail(limit, alice, 1);
  await fail(limit, { address: "2001:db8:0:1::1", user: "alice" }, 1);

  expect(() => limit.check(other)).not.toThrow();
});

it.each([
  ["192.0.2.1", "::ffff:192.0.2.1"],
  ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2"],
  ["2001:db8::1", "2001:db8:0:0:1::"],
  ["fe80::1%eth0", "fe80::2%eth1"],
])("takes %s and %s for one place", async (address, same) => {
  const { limit } = limitOf(1);
  await fail(limit, { address, user: "alice" }, 1);

  expect(() => limit.check({ address: same, user: "alice" })).toThrow("too many failed logins");
});

it("forgets the failures of somebody who then knows the password, and after a while", async () => {
  const { limit, clock } = limitOf(2);

  await fail(limit, alice, 1);
  await limit.counted(alice, async () => true);
  await fail(limit, alice, 1);
  expect(() => limit.check(alice)).not.toThrow();
  await clock.advance(900_000);
  await fail(limit, alice, 1);

  expect(() => limit.check(alice)).not.toThrow();
});

it("lets nobody try more at once than may still fail", async () => {
  const { limit } = limitOf(2);
  const open: (() => void)[] = [];
  const slow = () => new Promise<boolean>((resolve) => open.push(() => resolve(false)));
  const under = [limit.counted(alice, slow), limit.counted(alice, slow)];

  await expect(limit.counted(alice, slow)).rejects.toMatchObject({ code: "TOO_MANY_FAILURES" });
  for (const finish of open) finish();

  expect(await Promise.all(under)).toEqual([false, false]);
  expect(() => limit.check(alice)).toThrow("too many failed logins");
});

it("lets one place keep the thread that checks only so busy", async () => {
  const { limit } = limitOf(10);
  const open: (() => void)[] = [];
  const slow = () => new Promise<boolean>((resolve) => open.push(() => resolve(true)));
  const ask = (user: string, address = "192.0.2.1") => limit.counted({ user, address }, slow);
  const under = Array.from({ length: 64 }, (_, index) => ask(`user${index}`));

  await expect(ask("one more")).rejects.toMatchObject({ code: "TOO_MANY_FAILURES" });
  under.push(ask("one more", "198.51.100.1"));
  for (const finish of open) finish();
  expect(await Promise.all(under)).not.toContain(false);

  expect(await limit.counted(alice, async () => true)).toBe(true);
});

it("counts nothing for a check that could not be made", async () => {
  const { limit } = limitOf(1);

  const broken = limit.counted(alice, () => Promise.reject(new Error("no thread")));

  await expect(broken).rejects.toThrow("no thread");
  expect(() => limit.check(alice)).not.toThrow();
});

it("keeps a real count while thousands of made-up names go by", async () => {
  const { limit } = limitOf(3);
  await fail(limit, alice, 4);

  for (let name = 0; name < 30_000; name++) await fail(limit, { ...alice, user: `x${name}` }, 1);

  expect(() => limit.check(alice)).toThrow("too many failed logins");
});

it("does nothing when it is turned off", async () => {
  const limit = new LoginLimit({ disabled: true, attempts: 1 }, new FakeClock());

  await fail(limit, alice, 5);

  expect(() => limit.check(alice)).not.toThrow();
});

function limitOf(attempts: number) {
  const clock = new FakeClock();
  return { clock, limit: new LoginLimit({ disabled: false, attempts }, clock) };
}

async function fail(limit: LoginLimit, attempt: Attempt, times: number): Promise<void> {
  for (let round = 0; round < times; round++) await limit.counted(attempt, async () => false);
}

function waitOf(limit: LoginLimit, attempt: Attempt): number {
  try {
    limit.check(attempt);
    return 0;
  } catch (error) {
    return (error as { retryAfterMs: number }).retryAfterMs;
  }
}
