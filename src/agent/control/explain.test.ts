import { describe, expect, it } from "vitest";
import { explain } from "./explain.ts";
import type { Situation } from "./situation.ts";

const at = "2026-11-29T06:00:00.000Z";
const active = { tag: "v1.0.0", since: at, directory: "/srv/web/releases/1" };
const base: Situation = {
  ...{ app: "web", directory: "/srv/web", mode: "server", registry: "ghr://o/web", active },
  agent: { pid: 1, version: "1", since: at },
  running: { pid: 2, since: at },
  poll: { at, tag: "v1.0.0", passedOver: [] },
  nextPollAt: "2026-11-29T06:00:10.000Z",
};

describe("explain", () => {
  it.each<[string, Situation, string[]]>([
    [
      "runs the newest release",
      base,
      [
        `v1.0.0 is active since ${at}: it is the newest release that may run here.`,
        "The registry is asked again after 2026-11-29T06:00:10.000Z.",
      ],
    ],
    [
      "could not deploy a newer one",
      {
        ...base,
        poll: { at, tag: "v1.1.0", passedOver: [{ tag: "v2.0.0", reason: "no artifact for us" }] },
        attempt: {
          ...{ tag: "v1.1.0", phase: "start", startedAt: at, failures: 2, error: "it died" },
          retryAt: "2026-11-29T06:01:00.000Z",
        },
      },
      [
        `v1.0.0 is active since ${at}.`,
        "v1.1.0 failed 2 times, last in the phase start (it died); it is tried again after 2026-11-29T06:01:00.000Z.",
        "v2.0.0 is not taken: no artifact for us.",
        "The registry is asked again after 2026-11-29T06:00:10.000Z.",
      ],
    ],
    [
      "keeps releases away: one that failed too often, and one that was skipped",
      {
        ...base,
        poll: {
          ...{ at, tag: "v1.0.0" },
          passedOver: [
            { tag: "v1.2.0", reason: "skipped by alice" },
            { tag: "v1.1.0", reason: "in quarantine since then" },
          ],
        },
        attempt: { tag: "v1.1.0", phase: "start", startedAt: at, failures: 3, error: "it died" },
        skipped: [{ tag: "v1.2.0", by: "alice", at }],
        quarantined: [{ tag: "v1.1.0", reason: "it died", at, failures: 3, logTail: [] }],
      },
      [
        `v1.0.0 is active since ${at}: it is the newest release that may run here.`,
        "v1.2.0 is not taken: skipped by alice; dewy retry v1.2.0 takes that back.",
        `v1.1.0 is in quarantine since ${at}, after it failed 3 times (it died): dewy retry v1.1.0 tries it again.`,
        "The registry is asked again after 2026-11-29T06:00:10.000Z.",
      ],
    ],
    [
      "has lost its process, and its registry",
      { ...base, running: undefined, poll: { at, passedOver: [], error: "no answer" } },
      [
        `v1.0.0 is active since ${at}, and its process does not run.`,
        "ghr://o/web could not be asked (no answer).",
        "The registry is asked again after 2026-11-29T06:00:10.000Z.",
      ],
    ],
    [
      "has containers, one of which has crashed during an exchange",
      {
        ...base,
        mode: "container",
        running: undefined,
        replicas: {
          ...{ serving: 2, asked: 3, containers: [], error: "docker is away" },
          rollout: { tag: "v1.1.0", ready: 1 },
          ...{ crashes: 1, nextStartAt: "2026-11-29T06:00:08.000Z" },
        },
      },
      [
        `v1.0.0 is active since ${at}: it is the newest release that may run here.`,
        "2 of 3 replicas serve.",
        "They are exchanged for v1.1.0: 1 of 3 are ready.",
        "One ended by itself or did not start since the release began; none is started before 2026-11-29T06:00:08.000Z.",
        "The engine does not tell what runs (docker is away).",
        "The registry is asked again after 2026-11-29T06:00:10.000Z.",
      ],
    ],
    [
      "is held by people",
      {
        ...base,
        pinned: { tag: "v1.0.0", by: "alice", at, reason: "v2 is slow" },
        paused: { by: "bob", at, until: "2026-11-30T06:00:00.000Z" },
      },
      [
        `v1.0.0 is active since ${at}.`,
        `v1.0.0 is pinned by alice since ${at} (v2 is slow): nothing else is deployed.`,
        `Deployments are paused by bob since ${at}, until 2026-11-30T06:00:00.000Z.`,
        "The registry is asked again after 2026-11-29T06:00:10.000Z.",
      ],
    ],
    [
      "has no agent",
      { app: "web", directory: "/srv/web", active },
      [
        `v1.0.0 is active since ${at}; no agent runs here now.`,
        "Nothing is deployed until dewy is started.",
      ],
    ],
    [
      "has nothing yet",
      { ...base, active: undefined, running: undefined, poll: undefined, nextPollAt: undefined },
      [
        "No release is in service: no release has been chosen yet.",
        "The registry is asked again now.",
      ],
    ],
  ])("says why a host %s", (_what, situation, sentences) => {
    expect(explain(situation, (time) => time)).toEqual(sentences);
  });
});
