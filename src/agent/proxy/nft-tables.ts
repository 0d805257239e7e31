import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { writeFileWhole } from "../../base/atomic-file.ts";
import type { Call } from "../../base/call.ts";
import { interfacesTo, routeLoopback } from "./host-networks.ts";
import { askNft } from "./nft-command.ts";
import { emptyListing, type Listing, listingIn } from "./nft-listing.ts";
import { emptyingOf, removalOf, tableNameOf, tablePrefix } from "./nft-table.ts";
import { ProxyError } from "./proxy-protocol.ts";

const Tables = v.object({
  nftables: v.array(v.object({ table: v.optional(v.object({ name: v.string() })) })),
});

/** Empty where there is no such table. */
export async function listingOf(name: string, call: Call): Promise<Listing> {
  try {
    return listingIn(await askNft(["--json", "list", "table", "inet", name], call));
  } catch (error) {
    unlessMissing(error);
    return emptyListing;
  }
}

/** @throws what is no table that is missing */
function unlessMissing(error: unknown): void {
  const isMissing = error instanceof ProxyError && /No such file/.test(error.message);
  if (!isMissing) throw error;
}

/** The tables of other apps, by their names. */
export async function otherTables(own: string, call: Call): Promise<Map<string, Listing>> {
  const answer = await askNft(["--json", "list", "tables", "inet"], call);
  const names = v.parse(Tables, JSON.parse(answer)).nftables.flatMap(({ table }) => table ?? []);
  const others = names.filter(({ name }) => name.startsWith(tablePrefix) && name !== own);
  const listed = others.map(async ({ name }) => [name, await listingOf(name, call)] as const);
  return new Map(await Promise.all(listed));
}

/** Says that an app whose `.dewy` is `directory` has a table, and has opened `ways`, to who comes after. */
export async function noteTable(directory: string, ways: readonly string[]): Promise<void> {
  const lines = [tableNameOf(directory), ...ways];
  await writeFileWhole(markerIn(directory), `${lines.join("\n")}\n`);
}

export const hasTable = (directory: string) => existsSync(markerIn(directory));

/** Interfaces that the app says to have opened the way to the loopback for. */
export async function notedWays(directory: string): Promise<string[]> {
  if (!hasTable(directory)) return [];
  const [, ...ways] = (await readFile(markerIn(directory), "utf8")).split("\n");
  return ways.filter((one) => one !== "");
}

/**
 * Takes the table away, and what was opened for it and for no other app. It leads nowhere before: an app
 * that ends is nobody's heir, or two that end at once would leave a way to each other.
 */
export async function removeTable(directory: string, call: Call): Promise<void> {
  const name = tableNameOf(directory);
  const before = await listingOf(name, call);
  await askNft(["-f", "-"], call, emptyingOf({ name, directory }, before));
  const { opened } = await listingOf(name, call);
  const ways = new Set([...opened, ...(await notedWays(directory))]);
  await closeWays([...ways], name, call);
  await askNft(["-f", "-"], call, removalOf(name));
  await rm(markerIn(directory), { force: true });
}

/**
 * Closes those that no app but `own` needs. One that another app needs and does not know to be ours to
 * close, since it found it open, is that app's from now on.
 */
export async function closeWays(
  interfaces: readonly string[],
  own: string,
  call: Call,
): Promise<void> {
  for (const way of interfaces) {
    while (!(await isClosedOrLeft(way, own, call))) call.signal.throwIfAborted();
  }
}

/** @returns whether it is; not where the heir has ended before it could know */
async function isClosedOrLeft(way: string, own: string, call: Call): Promise<boolean> {
  const others = [...(await otherTables(own, call))].filter(([, one]) => one.targets.length > 0);
  if (others.some(([, { opened }]) => opened.includes(way))) return true;
  const [heir] = others.find(([, listing]) => waysOf(listing).includes(way)) ?? [];
  if (heir === undefined) {
    await routeLoopback(way, false);
    return true;
  }
  const claim = `add element inet ${heir} opened { "${way}" }\n`;
  await askNft(["-f", "-"], call, claim).catch(unlessMissing);
  return (await listingOf(heir, call)).targets.length > 0;
}

const waysOf = ({ targets }: Listing) => interfacesTo(targets.flatMap(({ hosts }) => hosts));

const markerIn = (directory: string) => join(directory, "nftables");
