import { expect, it } from "vitest";
import { accessRulesOf } from "./access-rules.ts";
import {
  AuthError,
  type Authenticator,
  type Credentials,
  type Grant,
  unlimitedGrant,
} from "./authenticator.ts";
import { gateOf, openGate } from "./gate.ts";
import { basic, bearer, pullApp, pushApp, visitWith } from "./visit.fake.ts";

const call = { signal: AbortSignal.timeout(10_000) };
const good = basic("alice", "good");

it("lets in whoever may do all that is wished, and nobody else", async () => {
  const gate = gateOf(fakeAuthenticator(), { anonymous: undefined });

  expect((await gate.admit(visitWith(good), call)).user).toBe("alice");
  await expect(gate.admit(visitWith(basic("alice", "bad")), call)).rejects.toMatchObject({
    code: "CREDENTIALS_REFUSED",
    challenge: { scheme: "basic" },
    wishes: [pullApp],
  });
  await expect(gate.admit(visitWith(undefined), call)).rejects.toMatchObject({
    code: "CREDENTIALS_NEEDED",
  });
});

it.each([
  ["no", basic("alice", "good"), "DENIED"],
  ["that another token may do", bearer("good"), "CREDENTIALS_INSUFFICIENT"],
] as const)("says %s to somebody known who may not do all of it", async (_what, shown, code) => {
  const pullOnly: Grant = { ...unlimitedGrant("alice"), allows: (wish) => wish === pullApp };
  const gate = gateOf(fakeAuthenticator(pullOnly), { anonymous: undefined });
  const visit = visitWith(shown, { wishes: [pullApp, pushApp] });

  await expect(gate.admit(visit, call)).rejects.toMatchObject({ code });
});

it("passes on that somebody is to wait", async () => {
  const gate = gateOf(fakeAuthenticator(), { anonymous: undefined });

  await expect(gate.admit(visitWith(basic("alice", "slow")), call)).rejects.toMatchObject({
    code: "TOO_MANY_FAILURES",
    retryAfterMs: 1,
  });
});

it("lets in whoever did not log in for what is public, and for that alone", async () => {
  const gate = gateOf(fakeAuthenticator(), publicApp());
  const wishing = (...wishes: (typeof pullApp)[]) =>
    gate.admit(visitWith(undefined, { wishes }), call);

  expect((await wishing(pullApp)).user).toBeUndefined();
  await expect(wishing(pullApp, pushApp)).rejects.toMatchObject({ code: "CREDENTIALS_NEEDED" });
  // How clients find out that there is a login at all.
  await expect(wishing()).rejects.toMatchObject({ code: "CREDENTIALS_NEEDED" });
});

it("refuses a wrong password also where none is needed", async () => {
  const gate = gateOf(fakeAuthenticator(), publicApp());

  await expect(gate.admit(visitWith(basic("alice", "bad")), call)).rejects.toMatchObject({
    code: "CREDENTIALS_REFUSED",
  });
});

it("stands open where nobody is to be asked", async () => {
  const grant = await openGate.admit(visitWith(undefined, { wishes: [pushApp] }), call);

  expect([grant.user, grant.reach, grant.lists("a")]).toEqual([undefined, "everything", true]);
});

const publicApp = () => {
  const rule = {
    repository: "team/*",
    actions: ["pull" as const],
    users: [],
    groups: [],
    anonymous: true,
  };
  return { anonymous: accessRulesOf([rule]).grantTo(undefined) };
};

/** Knows alice by the password, or the token, `good`. */
function fakeAuthenticator(grant = unlimitedGrant("alice")): Authenticator {
  return {
    challenge: () => ({ scheme: "basic", parameters: { realm: "r" } }),
    async identify(credentials: Credentials) {
      const shown = secretIn(credentials);
      if (shown === "good") return grant;
      if (shown === "slow") throw new AuthError("TOO_MANY_FAILURES", "", { retryAfterMs: 1 });
      throw new AuthError("CREDENTIALS_REFUSED", "no");
    },
    close: async () => {},
  };
}

function secretIn(credentials: Credentials): string {
  if (credentials.scheme === "basic") return credentials.password.reveal();
  return credentials.scheme === "bearer" ? credentials.token.reveal() : "";
}
