import * as v from "valibot";
import { askAgent } from "../../agent/control/control-client.ts";
import { Outcome, Plan } from "../../agent/control/control-request.ts";
import { Seconds } from "../../base/schema.ts";
import { type CommandContext, command } from "../command.ts";
import { askerOf, decideAbout } from "../control/decide.ts";
import { type AskedApps, placeFlags, placeOf } from "../control/place.ts";

const place = {
  directory: v.optional(v.string()),
  config: v.optional(v.string()),
  app: v.optional(v.string()),
  json: v.optional(v.boolean(), false),
};
const reasonFlag = { value: "TEXT", help: "why, for those who ask later" } as const;
const reason = v.optional(v.pipe(v.string(), v.maxLength(1_000, "write 1000 letters at the most")));
const text = v.pipe(v.string(), v.minLength(1, "name a release by its tag"));
const nothing = v.tuple([], "this command takes no words");
const oneTag = v.tuple([text], "name one release by its tag");
const mayTag = v.pipe(v.array(text), v.maxLength(1, "name one release at the most"));

const Bare = v.strictObject({ ...place, operands: nothing });

/** Says what would happen now, and changes nothing. */
export const plan = command({
  flags: placeFlags,
  epilogue: "The agent asks the release registry for it, and changes nothing.",
  input: Bare,
  async run({ json, ...asked }, context) {
    const { directory } = await placeOf(asked, context);
    const answer = await askAgent(directory, "plan", {}, Plan, context);
    if (json) return context.print(JSON.stringify(answer));
    context.print(answer.said);
    for (const { tag, reason: why } of answer.passedOver) {
      context.print(`${tag} would not be taken: ${why}.`);
    }
  },
});

export const deploy = command({
  operands: "[tag]",
  flags: {
    ...placeFlags,
    now: { help: "in spite of a pause, a window, an age, and of an earlier failure" },
    reason: reasonFlag,
  },
  epilogue:
    "Without a tag, the registry is asked at once. With one that is not the newest, it is pinned.\n" +
    "Ends when the release is in service, or with status 1 and the reason why it is not.",
  input: v.strictObject({
    ...place,
    now: v.optional(v.boolean(), false),
    reason,
    operands: mayTag,
  }),
  async run({ json, now, reason: why, operands: [tag], ...asked }, context) {
    const { directory } = await placeOf(asked, context);
    const request = { now, ...decision(why, context), ...(tag && { tag }) };
    tell(await askAgent(directory, "deploy", request, Outcome, context), json, context);
  },
});

export const rollback = command({
  operands: "[tag]",
  flags: { ...placeFlags, reason: reasonFlag },
  epilogue:
    "Without a tag, to the last good release. One that is still on the disk needs no registry.\n" +
    "The release is pinned, so that no poll deploys the newer one again, until dewy unpin.",
  input: v.strictObject({ ...place, reason, operands: mayTag }),
  async run({ json, reason: why, operands: [tag], ...asked }, context) {
    const { directory } = await placeOf(asked, context);
    const request = { ...decision(why, context), ...(tag && { tag }) };
    tell(await askAgent(directory, "rollback", request, Outcome, context), json, context);
  },
});

export const retry = command({
  operands: "[tag]",
  flags: placeFlags,
  epilogue: "Without a tag, the release that failed last. Takes back a quarantine and a skip.",
  input: v.strictObject({ ...place, operands: mayTag }),
  async run({ json, operands: [tag], ...asked }, context) {
    const { directory } = await placeOf(asked, context);
    const request = { ...decision(undefined, context), ...(tag !== undefined && { tag }) };
    tell(await askAgent(directory, "retry", request, Outcome, context), json, context);
  },
});

export const pin = deciding("pin");
export const skip = deciding("skip");

export const pause = command({
  flags: {
    ...placeFlags,
    reason: reasonFlag,
    for: { value: "TIME", help: "how long, such as 2h or 3d (default: until dewy resume)" },
  },
  epilogue: "New releases are still seen; none is deployed.",
  input: v.strictObject({
    ...place,
    reason,
    for: v.optional(
      v.pipe(
        Seconds,
        v.minValue(1, "write how long, such as 2h"),
        v.maxValue(366 * 86_400_000, "that is longer than a year: write 366d or less"),
      ),
    ),
    operands: nothing,
  }),
  async run({ json, reason: why, for: forMs, ...asked }, context) {
    const where = await placeOf(asked, context);
    const request = { ...decision(why, context), ...(forMs !== undefined && { forMs }) };
    tell(await decideAbout(where, "pause", request, context), json, context);
  },
});

export const unpin = undoing("unpin");
export const resume = undoing("resume");

function deciding(name: "pin" | "skip") {
  return command({
    operands: "<tag>",
    flags: { ...placeFlags, reason: reasonFlag },
    input: v.strictObject({ ...place, reason, operands: oneTag }),
    async run({ json, reason: why, operands: [tag], ...asked }, context) {
      const request = { tag, ...decision(why, context) };
      tell(await decideAbout(await placeOf(asked, context), name, request, context), json, context);
    },
  });
}

function undoing(name: "unpin" | "resume") {
  return command({
    flags: placeFlags,
    input: Bare,
    async run({ json, ...asked }: AskedApps & { json: boolean }, context) {
      tell(
        await decideAbout(
          await placeOf(asked, context),
          name,
          decision(undefined, context),
          context,
        ),
        json,
        context,
      );
    },
  });
}

function decision(why: string | undefined, context: CommandContext) {
  return { by: askerOf(context), ...(why !== undefined && { reason: why }) };
}

function tell(outcome: Outcome, json: boolean, { print }: CommandContext): void {
  print(json ? JSON.stringify(outcome) : outcome.said);
}
