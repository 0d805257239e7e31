import type { Call } from "../../base/call.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { loopbackIsRouted, routeLoopback } from "./host-networks.ts";
import type { OwnTable } from "./nft-checks.ts";
import type { Listing } from "./nft-listing.ts";
import { closeWays, notedWays, noteTable, otherTables } from "./nft-tables.ts";

/**
 * Which ways to the loopback are this app's to close, once those of `interfaces` are open too: a way
 * that somebody else opened is not. It is noted before it is opened, so that a kill between the two
 * leaves none behind; in the directory too, since anybody may remove the table.
 */
export async function ownWays(
  { name, directory }: OwnTable,
  interfaces: readonly string[],
  { opened }: Listing,
  call: Call,
): Promise<string[]> {
  const before = await notedWays(directory);
  const own = new Set([...before, ...opened]);
  const unknown = interfaces.filter((one) => !own.has(one));
  const others = unknown.length === 0 ? [] : [...(await otherTables(name, call)).values()];
  const theirs = new Set(others.flatMap((one) => one.opened));
  for (const one of unknown) {
    if (theirs.has(one) || (await loopbackIsRouted(one)) === false) own.add(one);
  }
  if (own.size > before.length) await noted(directory, [...own]);
  return [...own];
}

/** Notes what an app that has gone left to this one, before somebody removes the table that says so. */
export async function noteLeftWays({ directory }: OwnTable, { opened }: Listing): Promise<void> {
  const before = await notedWays(directory);
  const left = opened.filter((one) => !before.includes(one));
  if (left.length > 0) await noted(directory, [...before, ...left]);
}

/** Behind rules that are there already. */
export async function openWays(interfaces: readonly string[]): Promise<void> {
  for (const one of interfaces) await routeLoopback(one, true);
}

/** Whether somebody has closed one of those that are needed. */
export async function isWayClosed(interfaces: readonly string[]): Promise<boolean> {
  for (const one of interfaces) if ((await loopbackIsRouted(one)) === false) return true;
  return false;
}

/** Closes what this app opened and no rule guards any more, since somebody has removed its table. */
export async function closeUnguarded(
  { name, directory }: OwnTable,
  { opened }: Listing,
  call: Call,
): Promise<void> {
  const unguarded = (await notedWays(directory)).filter((one) => !opened.includes(one));
  if (unguarded.length > 0) await closeWays(unguarded, name, call);
  await noted(directory, opened);
}

/** A full disk keeps nobody from the traffic: the table has the same, unless somebody removes it. */
async function noted(directory: string, opened: readonly string[]): Promise<void> {
  await noteTable(directory, opened).catch((error) => {
    if (systemCodeOf(error) === undefined) throw error;
  });
}
