import type { Wish } from "./authenticator.ts";

/**
 * The scope that covers `wishes`, in the order they came: `repository:a/b:pull,push`, several of them
 * with a space in between; `undefined` for none (Distribution, "Token Scope Documentation").
 */
export function scopeOf(wishes: readonly Wish[]): string | undefined {
  const actions = new Map<string, string[]>();
  for (const { type, name, action } of wishes) {
    const resource = `${type}:${name}`;
    actions.set(resource, [...(actions.get(resource) ?? []), action]);
  }
  const scopes = [...actions].map(([resource, list]) => `${resource}:${list.join(",")}`);
  return scopes.length === 0 ? undefined : scopes.join(" ");
}
