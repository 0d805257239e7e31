import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openHtpasswd } from "./htpasswd.ts";
import { Auth, openGateFor } from "./index.ts";
import { LoginLimit } from "./login-limit.ts";
import { type RobotTokens, robotTokensIn } from "./robot-tokens.ts";
import { robotPathsOf } from "./robots.ts";
import { openSigningKey } from "./signing-key.ts";
import type { IssuedToken, TokenRequest, TokenServer } from "./token-server.ts";
import { TokenServerOptions } from "./token-server-options.ts";
import { basic, pullApp } from "./visit.fake.ts";

/** `htpasswd -Bbn -C 4`: the password is `password`. */
export const hash = "$2b$04$qeuQTEh9sjk6SgeHff6eJemjZ0gKdbxaI/YOjwJ9P7on0D8TvqK2S";

export const rules = [
  { repository: "public/*", actions: ["pull"], anonymous: true },
  { repository: "team/*", actions: ["push"], users: ["alice"] },
  { repository: "team/*", actions: ["pull"], users: ["bob"] },
];

/** A gate of our own: users, rules, a token server, robots. */
export async function ownGate(changes: Record<string, unknown> = {}) {
  const htpasswd = await writeUsers();
  const clock = new FakeClock(new Date("2026-11-21T10:00:00Z"));
  const logger = new FakeLogger();
  const section = {
    htpasswd: { realm: "Registry Realm", path: htpasswd },
    tokenserver: {},
    access: rules,
    ...changes,
  };
  const call = { signal: AbortSignal.timeout(10_000) };
  const auth = v.parse(Auth, section);
  const gate = await openGateFor(auth, { clock, logger, environment: {} }, call);
  onTestFinished(() => gate.close());
  const robots: RobotTokens = robotTokensIn(robotPathsOf(undefined, htpasswd), { htpasswd, clock });
  return { gate, tokens: gate.tokens as TokenServer, robots, htpasswd, clock, logger, call, auth };
}

/** The parts of a token server, without a gate in front of it. */
export async function ownParts() {
  const path = await writeUsers();
  const shared = { clock: new FakeClock(), logger: new FakeLogger() };
  const limit = new LoginLimit({ disabled: true, attempts: 1 }, shared.clock);
  const call = { signal: AbortSignal.timeout(10_000) };
  const ruled = { ...shared, limit, rules: undefined };
  const accounts = await openHtpasswd({ path }, ruled, call);
  const signingKey = await openSigningKey(`${path}.pem`, shared);
  const parts = { ...shared, accounts, signingKey, anonymous: undefined, realm: "r" };
  return { parts, options: v.parse(TokenServerOptions, {}), call };
}

async function writeUsers(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-tokens-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "htpasswd");
  await writeFile(path, `alice:${hash}\nbob:${hash}\n`);
  return path;
}

/** A request of alice's for what she may do, unless `changes` say otherwise. */
export function requestWith(changes: Partial<TokenRequest> = {}): TokenRequest {
  return {
    credentials: basic("alice", "password"),
    wishes: [pullApp],
    offline: false,
    address: "192.0.2.1",
    ...changes,
  };
}

/** What a token says; nobody has checked it. */
export function claimsIn({ token }: Pick<IssuedToken, "token">): Record<string, unknown> {
  const [, claims = ""] = token.reveal().split(".");
  return JSON.parse(Buffer.from(claims, "base64url").toString());
}

export const codeOf = (error: unknown): string => (error as { code: string }).code;
