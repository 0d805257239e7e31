import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { writeFileWhole } from "../../base/atomic-file.ts";
import type { Call } from "../../base/call.ts";
import { routeLoopback } from "./host-networks.ts";
import { askNft } from "./nft-command.ts";
import { emptyListing, type Listing, listingIn } from "./nft-listing.ts";
import { removalOf, tableNameOf, tablePrefix } from "./nft-table.ts";
import { ProxyError } from "./proxy-protocol.ts";

const Tables = v.object({
  nftables: v.array(v.object({ table: v.optional(v.object({ name: v.string() })) })),
});

/** Empty where there is no such table. */
export async function listingOf(name: string, call: Call): Promise<Listing> {
  try {
    return listingIn(await askNft(["--json", "list", "table", "inet", name], call));
  } catch (error) {
    const isMissing = error instanceof ProxyError && /No such file/.test(error.message);
    if (isMissing) return emptyListing;
    throw error;
  }
}

/** The tables of other apps, by their names. */
export async function otherTables(own: string, call: Call): Promise<Map<string, Listing>> {
  const answer = await askNft(["--json", "list", "tables", "inet"], call);
  const names = v.parse(Tables, JSON.parse(answer)).nftables.flatMap(({ table }) => table ?? []);
  const others = names.filter(({ name }) => name.startsWith(tablePrefix) && name !== own);
  const listed = others.map(async ({ name }) => [name, await listingOf(name, call)] as const);
  return new Map(await Promise.all(listed));
}

/** Says that an app whose `.dewy` is `directory` has a table, to who comes after. */
export async function noteTable(directory: string): Promise<void> {
  await writeFileWhole(markerIn(directory), `${tableNameOf(directory)}\n`);
}

export const hasTable = (directory: string) => existsSync(markerIn(directory));

/** Takes the table away, and what was opened for it and for no other app. */
export async function removeTable(directory: string, call: Call): Promise<void> {
  const name = tableNameOf(directory);
  const { opened } = await listingOf(name, call);
  if (opened.length > 0) {
    const others = [...(await otherTables(name, call)).values()];
    const needed = new Set(others.flatMap((one) => one.opened));
    for (const one of opened) if (!needed.has(one)) await routeLoopback(one, false);
  }
  await askNft(["-f", "-"], call, removalOf(name));
  await rm(markerIn(directory), { force: true });
}

const markerIn = (directory: string) => join(directory, "nftables");
