import { isRepository } from "../../oci/reference.ts";
import type { Wish } from "./authenticator.ts";

/**
 * The scope that covers `wishes`, in the order they came: `repository:a/b:pull,push`, several of them
 * with a space in between; `undefined` for none (Distribution, "Token Scope Documentation").
 */
export function scopeOf(wishes: readonly Wish[]): string | undefined {
  const scopes = accessFor(wishes).map(
    ({ type, name, actions }) => `${type}:${name}:${actions.join(",")}`,
  );
  return scopes.length === 0 ? undefined : scopes.join(" ");
}

export interface Access {
  type: Wish["type"];
  name: string;
  actions: Wish["action"][];
}

/** The same, as the `access` claim of a token has it. */
export function accessFor(wishes: readonly Wish[]): Access[] {
  const found = new Map<string, Access>();
  for (const { type, name, action } of wishes) {
    const resource = `${type}:${name}`;
    const access = found.get(resource) ?? { type, name, actions: [] };
    if (!access.actions.includes(action)) access.actions.push(action);
    found.set(resource, access);
  }
  return [...found.values()];
}

const everyAction = ["pull", "push", "delete", "*"] as const;

/**
 * What a scope wishes, as far as it is anything that this registry has; the rest is nothing that a
 * token could be for. A class, as in `repository(plugin):…`, makes no difference.
 */
export function parseScope(text: string): Wish[] {
  return text.split(" ").flatMap(wishesIn);
}

function wishesIn(resource: string): Wish[] {
  const [, type, name = "", actions = ""] =
    /^(registry|repository)(?:\([a-z0-9]+\))?:(.+):([^:]*)$/.exec(resource) ?? [];
  const wished = actions.split(",");
  if (type === "registry") {
    const isKnown =
      ["catalog", "garbage", "quotas", "scrubs"].includes(name) && wished.includes("*");
    return isKnown ? [{ type, name, action: "*" }] : [];
  }
  if (type !== "repository" || !isRepository(name)) return [];
  // `*` in a token stands for all the others, which may be had where `*` itself may not.
  return everyAction
    .filter((action) => wished.includes(action) || wished.includes("*"))
    .map((action) => ({ type, name, action }));
}
