import type { AppOptions } from "../agent/app-options.ts";
import type { Section } from "./dewy-yaml.ts";

/**
 * Puts the apps that name the same group together, in the order that `after` demands and otherwise in
 * the file's. What is wrong is added to `problems`.
 */
export function withGroups(
  apps: readonly AppOptions[],
  sections: ReadonlyMap<string, Section>,
  problems: string[],
): AppOptions[] {
  const groups = new Map<string, string[]>();
  for (const [name, { group }] of sections) {
    if (group !== undefined) groups.set(group, [...(groups.get(group) ?? []), name]);
  }
  for (const [name, section] of sections) {
    const members = groups.get(section.group ?? "") ?? [];
    for (const other of section.after ?? []) {
      if (other !== name && members.includes(other)) continue;
      const why =
        section.group === undefined
          ? "the app has no group"
          : `of its group are ${members.filter((one) => one !== name).join(", ") || "no others"}`;
      problems.push(`${section.placeOf("after")}: it cannot come after ${other}: ${why}`);
    }
  }
  const orders = new Map<string, readonly string[]>();
  for (const [group, members] of groups) {
    orders.set(group, inOrder(members, sections, problems));
  }
  return apps.map((app) => {
    const name = sections.get(app.name)?.group;
    const order = orders.get(name ?? "") ?? [];
    return name === undefined || order.length < 2 ? app : { ...app, group: { name, apps: order } };
  });
}

function inOrder(
  members: readonly string[],
  sections: ReadonlyMap<string, Section>,
  problems: string[],
): readonly string[] {
  const order: string[] = [];
  let left = members;
  while (left.length > 0) {
    const next = left.find(
      (name) => !(sections.get(name)?.after ?? []).some((other) => left.includes(other)),
    );
    if (next === undefined) {
      const place = sections.get(left[0] ?? "")?.placeOf("after");
      problems.push(`${place}: ${left.join(", ")} come after one another in a circle`);
      return members;
    }
    order.push(next);
    left = left.filter((name) => name !== next);
  }
  return order;
}
