import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { Secret } from "../../base/secret.ts";
import type { AgentEvent, AppIdentity, HookName } from "../event.ts";
import type { Notice } from "../notifier.ts";
import { type CountedError, openErrorLimit } from "./limit.ts";
import { redacted, secretsIn, sentenceOf } from "./redaction.ts";

export interface NoticeParts {
  identity: AppIdentity;
  clock: Clock;
  /** For the values that must not be told. */
  environment: Environment;
  /** Whether people are told the last lines of a release that failed; not, unless asked to. */
  tellsLogTail?: boolean | undefined;
}

/** What of a notice depends on the event. */
type Told = Pick<Notice, "kind" | "text" | "hook"> | undefined;
type EventOf<Type extends AgentEvent["type"]> = Extract<AgentEvent, { type: Type }>;

/** An app that died, and then stayed up for so long, has not been dying all the time. */
const calmMs = 600_000;

const mostTailLines = 10;
const longestTailLine = 200;

/**
 * Says what people are told of an event; `undefined` for nothing.
 *
 * Three errors are told, then there is silence until all is well again; what else happens is told all
 * the same. A deployment that is tried again and again repeats neither its download nor its hooks.
 */
export function openNotices(parts: NoticeParts): (event: AgentEvent) => Notice | undefined {
  const { identity, clock } = parts;
  const told = openTexts(parts);
  return (event) => {
    const notice = told(event);
    return notice && { ...notice, at: clock.now(), identity };
  };
}

function openTexts({
  identity,
  clock,
  environment,
  ...asked
}: NoticeParts): (event: AgentEvent) => Told {
  const secrets = secretsIn(environment);
  const errors = openErrorLimit();
  const deaths = openDeaths(clock);
  const illnesses = openDeaths(clock);
  const repeated = openRepetition();
  let suffix = "";

  return (event) => {
    switch (event.type) {
      case "started":
        suffix = identity.mode === "server" && event.ports.length === 0 ? " without port" : "";
        return normal(startText(event, identity));
      case "fetched":
        if (event.from === "disk" || repeated.has(`fetched ${event.tag}`)) return undefined;
        return normal(`${fetchedText(identity)} for \`${event.tag}\``);
      case "hook ended":
        if (repeated.has(`${event.hook} ${event.tag} ${event.error === undefined}`))
          return undefined;
        return hookEnded(event, sentenceOf(event.error, secrets));
      case "deployed":
        repeated.forget();
        return important(deployedText(event, identity) + suffix + personText(event, secrets));
      case "poll failed":
        return counted(errors.next(), sentenceOf(event.error, secrets));
      case "deployment failed":
        return counted(errors.next(), failureText(event, sentenceOf(event.error, secrets)));
      case "rolled back":
        return important(rolledBackText(event, redacted(event.reason, secrets)));
      case "release quarantined":
        return quarantined(event, secrets, asked);
      case "rollout halted":
        return { kind: "error", text: haltText(event, redacted(event.reason, secrets)) };
      case "app started":
        return appStarted(event, suffix, deaths.areTold());
      case "app died":
        return died(deaths.next(), redacted(event.how, secrets));
      case "replica unwell":
        return unwell(illnesses.next(), event, redacted(event.reason, secrets));
      case "replica well again":
        return illnesses.areTold() ? normal(`\`${event.replica}\` is well again`) : undefined;
      case "recovered":
        repeated.forget();
        return recovered(errors.reset());
      case "stopping":
        return normal(stopText(redacted(event.reason, secrets)));
      default:
        return undefined;
    }
  };
}

const normal = (text: string): Told => ({ kind: "normal", text });
const important = (text: string): Told => ({ kind: "important", text });

function startText({ version }: EventOf<"started">, { mode }: AppIdentity): string {
  return `Automatic shipping started by *Dewy* (v${version.replace(/^v/, "")}: ${mode})`;
}

const fetchedText = ({ mode }: AppIdentity) =>
  mode === "container" ? "Pulled image" : "Downloaded artifact";

function deployedText(
  { deployment, replicas }: EventOf<"deployed">,
  { mode }: AppIdentity,
): string {
  const { tag, previousTag } = deployment;
  if (replicas) {
    const { serving, asked } = replicas;
    return `Container deployed successfully: \`${serving}/${asked}\` replicas of \`${tag}\``;
  }
  if (mode !== "server") return `Deployed \`${tag}\``;
  return `Server ${previousTag === undefined ? "started" : "restarted"} for \`${tag}\``;
}

/** Only what nobody would guess: most deployments are made by a poll. */
function personText(
  { deployment: { by } }: EventOf<"deployed">,
  secrets: readonly Secret[],
): string {
  if (by?.kind === "wait") return ", which had waited";
  if (by?.kind !== "person") return "";
  const why = by.reason === undefined ? "" : ` (${by.reason})`;
  return redacted(`, as ${by.name} decided${why}`, secrets);
}

function failureText({ deployment }: EventOf<"deployment failed">, sentence: string): string {
  const { tag, previousTag } = deployment;
  const stays = previousTag === undefined ? "" : `, \`${previousTag}\` stays in service`;
  return `deployment of \`${tag}\` failed${stays}: ${sentence}`;
}

function rolledBackText({ to }: EventOf<"rolled back">, why: string): string {
  return `Rolled back to \`${to}\` by itself: ${why}`;
}

function quarantined(
  event: EventOf<"release quarantined">,
  secrets: readonly Secret[],
  { tellsLogTail = false }: Pick<NoticeParts, "tellsLogTail">,
): Told {
  const text = quarantineText(event, redacted(event.reason, secrets));
  const tail = tellsLogTail ? event.logTail.slice(-mostTailLines) : [];
  if (tail.length === 0) return { kind: "error", text };
  const lines = tail.map((line) => redacted(line, secrets).slice(0, longestTailLine));
  return { kind: "error", text: `${text}\n\`\`\`\n${lines.join("\n")}\n\`\`\`` };
}

function quarantineText({ tag, failures }: EventOf<"release quarantined">, why: string): string {
  const times = failures === 1 ? "once" : `${failures} times`;
  return `\`${tag}\` has failed ${times}, and is not tried again until a newer release appears or somebody calls \`dewy retry ${tag}\`: ${why}`;
}

function haltText({ tag, installed, hosts }: EventOf<"rollout halted">, why: string): string {
  return `The rollout of \`${tag}\` is halted, begun on ${installed} of ${hosts} hosts: ${why}`;
}

function appStarted(
  { reason, tag }: EventOf<"app started">,
  suffix: string,
  deathsAreTold: boolean,
): Told {
  const started = `Server started${tag === undefined ? "" : ` for \`${tag}\``}${suffix}`;
  if (reason === "signal") return normal("Restarted receiving by `SIGUSR1` signal");
  if (reason === "boot") return important(started);
  if (reason === "death" && deathsAreTold) return normal(`${started}, after the app had died`);
  return undefined; // a deployment is told when it counts, and not before
}

function counted(error: CountedError | undefined, sentence: string): Told {
  if (error === undefined) return undefined;
  const line = `Error occurred (count: ${error.count}): ${sentence}`;
  return { kind: "error", text: error.isLast ? `${lastErrorNote}\n\n${line}` : line };
}

const lastErrorNote = "⚠️ No more error notifications will be sent until errors are resolved.";

function died(death: CountedError | undefined, how: string): Told {
  if (death === undefined) return undefined;
  const line = `App died (count: ${death.count}): ${how}`;
  return { kind: "error", text: death.isLast ? `${lastDeathNote}\n\n${line}` : line };
}

function unwell(
  illness: CountedError | undefined,
  { replica, tag, isServing }: EventOf<"replica unwell">,
  why: string,
): Told {
  if (illness === undefined) return undefined;
  const traffic = isServing
    ? "keeps the traffic, since no other one is well"
    : "leaves the traffic";
  const line = `\`${replica}\` of \`${tag}\` is unwell, and ${traffic}: ${why}`;
  return { kind: "error", text: illness.isLast ? `${lastIllnessNote}\n\n${line}` : line };
}

const lastIllnessNote = `⚠️ No more of this will be told until all replicas have been well for ${calmMs / 60_000} minutes.`;
const lastDeathNote = `⚠️ No more deaths of the app will be told until it has stayed up for ${calmMs / 60_000} minutes.`;

/** By what was counted here: the event also counts each poll that had to wait for another try. */
function recovered(failures: number): Told {
  if (failures === 0) return undefined;
  const times = failures === 1 ? "1 failure" : `${failures} failures`;
  return { kind: "recovered", text: `Recovered after ${times}: all is well again` };
}

function hookEnded({ hook, tag, durationMs, error }: EventOf<"hook ended">, why: string): Told {
  const title = hookTitles[hook];
  const succeeded = error === undefined;
  const ending = succeeded ? `succeeded for \`${tag}\`` : `failed for \`${tag}\`: ${why}`;
  return { kind: "hook", text: `${title} hook ${ending}`, hook: { title, succeeded, durationMs } };
}

const hookTitles: Record<HookName, string> = {
  "before-deploy": "Before Deploy",
  "after-deploy": "After Deploy",
  rollback: "Rollback",
};

function stopText(reason: string): string {
  const [signal] = /\bSIG[A-Z\d]+\b/.exec(reason) ?? [];
  if (signal === undefined) return `Stop receiving: ${reason}`;
  return `Stop receiving by \`${signalNames[signal] ?? signal}\` signal`;
}

/** As the original writes them, which is how Go does. */
const signalNames: Record<string, string | undefined> = {
  SIGINT: "interrupt",
  SIGTERM: "terminated",
  SIGQUIT: "quit",
  SIGHUP: "hangup",
};

/** Deaths have no event that ends them, as failures have; the time between them tells. */
function openDeaths(clock: Clock) {
  const limit = openErrorLimit();
  let last: CountedError | undefined;
  let lastAt = Number.NEGATIVE_INFINITY;
  return {
    next(): CountedError | undefined {
      const now = clock.now().getTime();
      if (now - lastAt >= calmMs) limit.reset();
      lastAt = now;
      last = limit.next();
      return last;
    },
    areTold: () => last !== undefined,
  };
}

/** A release that fails for a year is one key; a fleet of them does not fill the memory. */
const mostRemembered = 100;

function openRepetition() {
  const seen = new Set<string>();
  return {
    has(key: string): boolean {
      if (seen.has(key)) return true;
      if (seen.size >= mostRemembered) seen.clear();
      seen.add(key);
      return false;
    },
    forget: () => seen.clear(),
  };
}
