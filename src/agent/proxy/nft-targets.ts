import type { Route } from "./data-plane.ts";
import type { ListedTarget, Listing, Target } from "./nft-listing.ts";
import { type Counts, translation } from "./tracked-connections.ts";

export interface LoadedTarget extends ListedTarget {
  /** Connections that it has. */
  open: number;
}

export function targetsOf({ port, backends }: Route): Target[] {
  return backends.map(({ id, host, port: inner, otherHost }) => ({
    ...{ id, port, inner },
    hosts: otherHost === undefined ? [host] : [host, otherHost],
  }));
}

/**
 * What those of a table have to do. Connections that were broken off are nobody's, and an address that
 * was given to a new one is the new one's.
 */
export function loadedTargets({ targets, gone }: Listing, counts: Counts): LoadedTarget[] {
  const keysOf = ({ port, inner, hosts }: Target) =>
    hosts
      .filter((host) => !gone.has(`${host} ${inner}`))
      .map((host) => translation(port, host, inner));
  const served = new Set(targets.filter(({ isServing }) => isServing).flatMap(keysOf));
  return targets.map((one) => {
    const own = keysOf(one).filter((key) => one.isServing || !served.has(key));
    return { ...one, open: own.reduce((sum, key) => sum + (counts.get(key) ?? 0), 0) };
  });
}

/** Whether connections are led to `routes` and nowhere else. */
export function isDeclared(routes: readonly Route[], { targets }: Listing): boolean {
  const written = (some: readonly Target[]) =>
    some
      .map(({ id, port, inner, hosts }) => `${id} ${port} ${inner} ${hosts}`)
      .sort()
      .join("\n");
  return (
    written(routes.flatMap(targetsOf)) === written(targets.filter(({ isServing }) => isServing))
  );
}
