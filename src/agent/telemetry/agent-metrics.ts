import type { Clock } from "../../base/clock.ts";
import { type Metric, openCounter, openGauge, openHistogram } from "../../base/instruments.ts";
import type { AgentEvent, AppIdentity, Observe } from "../event.ts";
import { openProxyMetrics } from "./proxy-metrics.ts";

export interface AgentMetrics {
  /** Takes in what happens to one app; every series of it carries the label `app`. */
  observe(identity: AppIdentity): Observe;
  read(): Metric[];
}

/** The names, labels and buckets of the original where it has them; the rest is ours. */
export function openAgentMetrics(clock: Clock): AgentMetrics {
  const instruments = openInstruments();
  const proxies = openProxyMetrics();
  return {
    observe(identity) {
      const observe = observer(instruments, identity, clock);
      return (event) => {
        observe(event);
        if (event.type === "traffic carried") proxies.take(identity.app, event.ports);
      };
    },
    read: () => [
      ...Object.values(instruments).map((instrument) => instrument.read()),
      ...proxies.read(),
    ],
  };
}

/** Of the original. */
const deploymentSeconds = [1, 5, 10, 30, 60, 120, 300, 600];
const phaseSeconds = [0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600];
const pollSeconds = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const openInstruments = () => ({
  ...openDeploymentInstruments(),
  ...openServerInstruments(),
  ...openPollInstruments(),
  ...openLimitInstruments(),
});

function openDeploymentInstruments() {
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
    decisions: openCounter({
      name: "dewy.deployments.decided.total",
      help: "Deployments that ended and releases that were taken back, by what decided that.",
      unit: "",
    }),
    rollbacks: openCounter({
      name: "dewy.rollbacks.total",
      help: "Releases that were taken back after their deployment, because they crashed.",
      unit: "",
    }),
    quarantines: openCounter({
      name: "dewy.releases.quarantined.total",
      help: "Releases that failed as often as they may, and are not tried again by themselves.",
      unit: "",
    }),
    rolloutHalts: openCounter({
      name: "dewy.rollouts.halted.total",
      help: "Rollouts over waves that this host has halted for the whole fleet.",
      unit: "",
    }),
    verifications: openCounter({
      name: "dewy.verifications.total",
      help: "Releases whose checksums or signatures were looked at: passed, or why refused.",
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
    release: openGauge({
      name: "dewy.release.info",
      help: "The release in service, as its label; the value is 1.",
      unit: "",
    }),
  };
}

function openPollInstruments() {
  return {
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
  };
}

function openLimitInstruments() {
  return {
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
  };
}

function openServerInstruments() {
  return {
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
  };
}

type Instruments = ReturnType<typeof openInstruments>;

function observer(instruments: Instruments, identity: AppIdentity, clock: Clock): Observe {
  beginAtZero(instruments, identity);
  const app = { ...identity, wasStarted: false };
  return (event) => {
    countDeployment(event, instruments, app);
    countPoll(event, instruments, app, clock);
    countServer(event, instruments, app);
  };
}

/** So that the first of each shows as an increase. */
function beginAtZero(instruments: Instruments, { app, mode }: AppIdentity): void {
  const command = mode;
  instruments.deployments.add({ app, command }, 0);
  instruments.deploymentErrors.add({ app, command }, 0);
  instruments.quarantines.add({ app, command }, 0);
  instruments.polls.add({ app }, 0);
  instruments.pollErrors.add({ app }, 0);
  instruments.lastSuccessfulPoll.set({ app }, 0);
  if (mode !== "server") return;
  instruments.deaths.add({ app }, 0);
  instruments.rollbacks.add({ app }, 0);
  for (const reason of ["deploy", "signal", "death", "rollback"])
    instruments.restarts.add({ app, reason }, 0);
}

function countDeployment(event: AgentEvent, instruments: Instruments, identity: AppIdentity): void {
  const { app, mode: command } = identity;
  if (event.type === "deployed" || event.type === "deployment failed") {
    instruments.decisions.add({ app, by: event.deployment.by?.kind ?? "poll" }, 1);
  }
  if (event.type === "deployed") {
    const { durationMs, tag } = event.deployment;
    instruments.deployments.add({ app, command }, 1);
    instruments.deploymentDuration.record({ app, command }, durationMs / 1000);
    inService(tag, instruments, app);
  } else if (event.type === "deployment failed") {
    instruments.deploymentErrors.add({ app, command }, 1);
  } else if (event.type === "rolled back") {
    instruments.rollbacks.add({ app }, 1);
    instruments.decisions.add({ app, by: "crashes" }, 1);
    inService(event.to, instruments, app);
  } else if (event.type === "release quarantined") {
    instruments.quarantines.add({ app, command }, 1);
  } else if (event.type === "rollout halted") {
    instruments.rolloutHalts.add({ app }, 1);
  } else if (event.type === "verified") {
    instruments.verifications.add({ app, outcome: event.outcome }, 1);
  } else if (event.type === "phase ended") {
    const { phase, durationMs } = event;
    instruments.phaseDuration.record({ app, phase }, durationMs / 1000);
  } else if (event.type === "hook ended") {
    const { hook, durationMs, error } = event;
    const outcome = error === undefined ? "success" : "failure";
    instruments.hookDuration.record({ app, hook, outcome }, durationMs / 1000);
  }
}

function countPoll(
  event: AgentEvent,
  instruments: Instruments,
  { app }: AppIdentity,
  clock: Clock,
): void {
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

/** `wasStarted` is kept in `app`: the first start of an app replaces nothing. */
function countServer(
  event: AgentEvent,
  instruments: Instruments,
  app: AppIdentity & { wasStarted: boolean },
): void {
  if (event.type === "app died") instruments.deaths.add({ app: app.app }, 1);
  if (event.type !== "app started") return;
  const { reason, tag } = event;
  if (app.wasStarted && reason !== "boot") {
    instruments.restarts.add({ app: app.app, reason }, 1);
  }
  app.wasStarted = true;
  // What a deployment starts is in service once it is committed.
  if (tag !== undefined && reason !== "deploy") inService(tag, instruments, app.app);
}

function inService(tag: string, { release }: Instruments, app: string): void {
  release.clear({ app });
  release.set({ app, tag }, 1);
}
