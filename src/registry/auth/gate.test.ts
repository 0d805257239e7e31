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
import { basic, pullApp, pushApp, visitWith } from "./visit.fake.ts";

const call = { signal: AbortSignal.timeout(10_000) };
const good = basic("alice", "good");

it("lets in whoever may do all that is wished, and nobody else", async () => {
  const gate = gateOf(fakeAuthenticator("DENIED"), undefined);

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

it.each(["DENIED", "CREDENTIALS_INSUFFICIENT"] as const)(
  "says %s to somebody known who may not do all of it",
  async (shortfall) => {
    const pullOnly: Grant = { ...unlimitedGrant("alice"), allows: (wish) => wish === pullApp };
    const gate = gateOf(fakeAuthenticator(shortfall, pullOnly), undefined);
    const visit = visitWith(good, { wishes: [pullApp, pushApp] });

    await expect(gate.admit(visit, call)).rejects.toMatchObject({ code: shortfall });
  },
);

it("passes on that somebody is to wait", async () => {
  const gate = gateOf(fakeAuthenticator("DENIED"), undefined);

  await expect(gate.admit(visitWith(basic("alice", "slow")), call)).rejects.toMatchObject({
    code: "TOO_MANY_FAILURES",
    retryAfterMs: 1,
  });
});

it("lets in whoever did not log in for what is public, and for that alone", async () => {
  const gate = gateOf(fakeAuthenticator("DENIED"), publicApp());
  const wishing = (...wishes: (typeof pullApp)[]) =>
    gate.admit(visitWith(undefined, { wishes }), call);

  expect((await wishing(pullApp)).user).toBeUndefined();
  await expect(wishing(pullApp, pushApp)).rejects.toMatchObject({ code: "CREDENTIALS_NEEDED" });
  // How clients find out that there is a login at all.
  await expect(wishing()).rejects.toMatchObject({ code: "CREDENTIALS_NEEDED" });
});

it("refuses a wrong password also where none is needed", async () => {
  const gate = gateOf(fakeAuthenticator("DENIED"), publicApp());

  await expect(gate.admit(visitWith(basic("alice", "bad")), call)).rejects.toMatchObject({
    code: "CREDENTIALS_REFUSED",
  });
});

it("goes by the rules, where there are any, for those who are known", async () => {
  const gate = gateOf(fakeAuthenticator("DENIED"), publicApp());

  expect((await gate.admit(visitWith(good), call)).user).toBe("alice");
  await expect(gate.admit(visitWith(good, { wishes: [pushApp] }), call)).rejects.toMatchObject({
    code: "DENIED",
  });
});

it("stands open where nobody is to be asked", async () => {
  const grant = await openGate.admit(visitWith(undefined, { wishes: [pushApp] }), call);

  expect([grant.user, grant.reach, grant.lists("a")]).toEqual([undefined, "everything", true]);
});

const publicApp = () =>
  accessRulesOf([{ repository: "team/*", actions: ["pull"], users: [], anonymous: true }]);

/** Knows alice by the password `good`. */
function fakeAuthenticator(
  shortfall: Authenticator["shortfall"],
  grant = unlimitedGrant("alice"),
): Authenticator {
  return {
    shortfall,
    challenge: () => ({ scheme: "basic", parameters: { realm: "r" } }),
    async identify(credentials: Credentials) {
      const password = credentials.scheme === "basic" ? credentials.password.reveal() : "";
      if (password === "good") return grant;
      if (password === "slow") throw new AuthError("TOO_MANY_FAILURES", "", { retryAfterMs: 1 });
      throw new AuthError("CREDENTIALS_REFUSED", "no");
    },
    close: async () => {},
  };
}
