import * as v from "valibot";
import { defaultAdminPort } from "../../agent/admin/admin-ports.ts";
import { type ListedContainer, listContainers } from "../../agent/admin/container-listing.ts";
import { command } from "../command.ts";
import { columns } from "../history/table.ts";

const Port = v.pipe(
  v.string(),
  v.regex(/^\d{1,5}$/, "write a port, such as 17539"),
  v.transform(Number),
  v.minValue(1, "a port is 1 to 65535"),
  v.maxValue(65_535, "a port is 1 to 65535"),
);

/** Prints the containers of every agent on this host, as the original prints those of one. */
export const containerList = command({
  flags: {
    adminPort: {
      value: "PORT",
      help: `the first of ten ports to ask (default ${defaultAdminPort})`,
    },
    json: { help: "print JSON, for programs" },
  },
  epilogue: "dewy status shows more of one app, by its directory.",
  input: v.strictObject({
    adminPort: v.optional(Port, String(defaultAdminPort)),
    json: v.optional(v.boolean(), false),
    operands: v.tuple([]),
  }),

  async run({ adminPort, json }, context) {
    const containers = await listContainers(adminPort, context);
    if (json) return context.print(JSON.stringify({ containers }));
    if (containers.length === 0) return context.print("No containers found.");
    const head = ["UPSTREAM", "DEPLOY TIME", "NAME"];
    for (const line of columns([head, ...containers.map(rowOf)])) context.print(line);
  },
});

function rowOf({ ip_port: upstream, deployed_at: at, name }: ListedContainer): string[] {
  const date = new Date(at);
  const time = Number.isNaN(date.getTime()) ? at : localSeconds(date);
  return [upstream || "-", time, name];
}

/** `2026-11-21 09:30:00`, in the zone of this process. */
function localSeconds(date: Date): string {
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString();
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)}`;
}
