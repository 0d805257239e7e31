import type { Clock } from "../../base/clock.ts";
import type { AgentEvent, AppIdentity, Observe } from "../event.ts";
import { type Metric, openCounter, openGauge, openHistogram } from "./instruments.ts";

export interface AgentMetrics {
  /** Takes in what happens to one app; every series of it carries the label `app`. */
  observe(identity: AppIdentity): Observe;
  read(): Metric[];
}

/** The names, labels and buckets of the original where it has them; the rest is ours. */
export function openAgentMetrics(clock: Clock): AgentMetrics {
  const instruments = openInstruments();
  return {
    observe: (identity) => observer(instruments, identity, clock),
    read: () => Object.values(instruments).map((instrument) => instrument.read()),
  };
}

/** Of the original. */
const deploymentSeconds = [1, 5, 10, 30, 60, 120, 300, 600];
const phaseSeconds = [0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600];
const pollSeconds = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

function openInstruments() {
  return {
    deployments: openCounter({
      name: "dewy.deployments.total",
      help: "Deployments that succeeded.",
      unit: "",
    }),
    deploymentDuration: openHistogram(
      { name: "dewy.deployment.duration", help: "Time a successful deployment took.", unit: "s" },
      deploymentSeconds,
    ),
    deploymentErrors: openCounter({
      name: "dewy.deployment.errors.total",
      help: "Deployments that failed.",
      unit: "",
    }),
    restarts: openCounter({
      name: "dewy.server.restarts.total",
      help: "Generations of the app that replaced one: by a deployment, a signal, or its death.",
      unit: "",
    }),
    deaths: openCounter({
      name: "dewy.server.deaths.total",
      help: "How often the app ended by itself.",
      unit: "",
    }),
    phaseDuration: openHistogram(
      {
        name: "dewy.deployment.phase.duration",
        help: "Time each phase of a deployment took.",
        unit: "s",
      },
      phaseSeconds,
    ),
    hookDuration: openHistogram(
      { name: "dewy.hook.duration", help: "Time a hook took.", unit: "s" },
      deploymentSeconds,
    ),
    polls: openCounter({
      name: "dewy.polls.total",
      help: "Polls of the release registry, failed ones among them.",
      unit: "",
    }),
    pollErrors: openCounter({
      name: "dewy.poll.errors.total",
      help: "Polls of the release registry that failed.",
      unit: "",
    }),
    pollDuration: openHistogram(
      { name: "dewy.poll.duration", help: "Time a successful poll took.", unit: "s" },
      pollSeconds,
    ),
    lastSuccessfulPoll: openGauge({
      name: "dewy.last_successful_poll.timestamp",
      help: "When the release registry last answered, in Unix time; 0 before it ever did.",
      unit: "s",
    }),
    rateLimitRemaining: openGauge({
      name: "dewy.github_rate_limit.remaining",
      help: "Requests the release registry still allows until its limit begins anew.",
      unit: "",
    }),
    rateLimit: openGauge({
      name: "dewy.github_rate_limit.limit",
      help: "Requests the release registry allows in all until its limit begins anew.",
      unit: "",
    }),
    rateLimitReset: openGauge({
      name: "dewy.github_rate_limit.reset_timestamp",
      help: "When the limit of the release registry begins anew, in Unix time.",
      unit: "s",
    }),
    release: openGauge({
      name: "dewy.release.info",
      help: "The release in service, as its label; the value is 1.",
      unit: "",
    }),
  };
}

type Instruments = ReturnType<typeof openInstruments>;

function observer(instruments: Instruments, { app, mode }: AppIdentity, clock: Clock): Observe {
  const deployment = { app, command: mode };
  let wasStarted = false;
  // From the start, so that the first of them shows as an increase.
  instruments.deployments.add(deployment, 0);
  instruments.deploymentErrors.add(deployment, 0);
  for (const counter of [instruments.polls, instruments.pollErrors]) counter.add({ app }, 0);
  instruments.lastSuccessfulPoll.set({ app }, 0);
  if (mode === "server") {
    instruments.deaths.add({ app }, 0);
    for (const reason of ["deploy", "signal", "death"])
      instruments.restarts.add({ app, reason }, 0);
  }

  return (event) => {
    countDeployment(event);
    countPoll(event);
    countServer(event);
  };

  function countDeployment(event: AgentEvent): void {
    if (event.type === "deployed") {
      instruments.deployments.add(deployment, 1);
      instruments.deploymentDuration.record(deployment, event.deployment.durationMs / 1000);
      inService(event.deployment.tag);
    } else if (event.type === "deployment failed") {
      instruments.deploymentErrors.add(deployment, 1);
    } else if (event.type === "phase ended") {
      const { phase, durationMs } = event;
      instruments.phaseDuration.record({ app, phase }, durationMs / 1000);
    } else if (event.type === "hook ended") {
      const { hook, durationMs, error } = event;
      const outcome = error === undefined ? "success" : "failure";
      instruments.hookDuration.record({ app, hook, outcome }, durationMs / 1000);
    }
  }

  function countPoll(event: AgentEvent): void {
    if (event.type === "polled") {
      instruments.polls.add({ app }, 1);
      instruments.pollDuration.record({ app }, event.durationMs / 1000);
      instruments.lastSuccessfulPoll.set({ app }, clock.now().getTime() / 1000);
    } else if (event.type === "poll failed") {
      instruments.polls.add({ app }, 1);
      instruments.pollErrors.add({ app }, 1);
    } else if (event.type === "rate limit told") {
      instruments.rateLimitRemaining.set({ app }, event.remaining);
      instruments.rateLimit.set({ app }, event.limit);
      instruments.rateLimitReset.set({ app }, event.resetAt.getTime() / 1000);
    }
  }

  function countServer(event: AgentEvent): void {
    if (event.type === "app died") instruments.deaths.add({ app }, 1);
    if (event.type !== "app started") return;
    const { reason, tag } = event;
    // The first start of an app replaces nothing.
    if (wasStarted && reason !== "boot") instruments.restarts.add({ app, reason }, 1);
    wasStarted = true;
    // What a deployment starts is in service once it is committed.
    if (tag !== undefined && reason !== "deploy") inService(tag);
  }

  function inService(tag: string): void {
    instruments.release.clear({ app });
    instruments.release.set({ app, tag }, 1);
  }
}
