import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { authenticatorContract } from "./authenticator.contract.ts";
import type { Credentials, Wish } from "./authenticator.ts";
import { claimsIn, codeOf, hash, ownGate, ownParts, requestWith } from "./own-tokens.fake.ts";
import { tokenServerOf } from "./token-server.ts";
import { tokenServerAuthenticator } from "./token-server-authenticator.ts";
import { basic, bearer, pullApp, pushApp, visitWith } from "./visit.fake.ts";

const week = 7 * 24 * 3_600_000;
const publicApp: Wish = { type: "repository", name: "public/app", action: "pull" };
const catalog: Wish = { type: "registry", name: "catalog", action: "*" };

let issueGood: () => Promise<string>;
authenticatorContract("the token server's authenticator", {
  async open() {
    const { parts, options, call } = await ownParts();
    const tokens = tokenServerOf(options, parts);
    issueGood = async () => (await tokens.issue(requestWith(), call)).token.reveal();
    return tokenServerAuthenticator(options, parts);
  },
  good: async () => bearer(await issueGood()),
  bad: [
    ...[basic("alice", "wrong"), basic("nobody", "password"), basic("", "")],
    ...[bearer(""), bearer("e30.e30."), bearer("a".repeat(10_000)), { scheme: "other" } as const],
  ],
});

describe("a token of our own", () => {
  it("is for what is both wished and allowed", async () => {
    const { tokens, call } = await ownGate();
    const wishes = [
      pullApp,
      pushApp,
      { ...pullApp, action: "delete" as const },
      publicApp,
      catalog,
    ];
    const access = async (user: string) =>
      claimsIn(
        await tokens.issue(requestWith({ credentials: basic(user, "password"), wishes }), call),
      ).access;

    const publicPull = { type: "repository", name: "public/app", actions: ["pull"] };
    const list = { type: "registry", name: "catalog", actions: ["*"] };
    const team = (...actions: string[]) => ({ type: "repository", name: "team/app", actions });
    expect(await access("alice")).toEqual([team("pull", "push"), publicPull, list]);
    expect(await access("bob")).toEqual([team("pull"), publicPull, list]);
  });

  it("says who it is for and how long, and is another one each time", async () => {
    const { tokens, call } = await ownGate({
      tokenserver: { issuer: "i", service: "s", expiry: "10m" },
    });

    const issued = await tokens.issue(requestWith(), call);

    const nowSeconds = Date.parse("2026-11-21T10:00:00Z") / 1000;
    expect(claimsIn(issued)).toMatchObject({
      ...{ iss: "i", aud: "s", sub: "alice", iat: nowSeconds, exp: nowSeconds + 600 },
    });
    expect(issued).toMatchObject({ expiresInSeconds: 600, refreshToken: undefined });
    const other = await tokens.issue(requestWith(), call);
    expect(claimsIn(other).jti).not.toBe(claimsIn(issued).jti);
    expect(JSON.stringify(claimsIn(issued))).not.toContain(hash.slice(7));
  });

  it("lets in nobody without a name but for what is public", async () => {
    const { tokens, gate, call } = await ownGate();
    const wishes = [publicApp, pullApp];

    const { token } = await tokens.issue(requestWith({ credentials: undefined, wishes }), call);

    const shown = bearer(token.reveal());
    const admitted = await gate.admit(visitWith(shown, { wishes: [publicApp] }), call);
    expect(admitted.user).toBeUndefined();
    await expect(gate.admit(visitWith(shown, { wishes: [pullApp] }), call)).rejects.toMatchObject({
      code: "CREDENTIALS_INSUFFICIENT",
      challenge: { parameters: { error: "insufficient_scope" } },
    });
  });

  it("is not given to nobody where nothing is public", async () => {
    const { tokens, call } = await ownGate({ access: undefined });

    const issuing = tokens.issue(requestWith({ credentials: undefined }), call);

    await expect(issuing).rejects.toMatchObject({ code: "CREDENTIALS_REFUSED" });
  });

  it("ends when it says, by the registry's own clock", async () => {
    const { tokens, gate, call, clock } = await ownGate();
    const { token } = await tokens.issue(requestWith(), call);
    const visit = visitWith(bearer(token.reveal()));
    expect((await gate.admit(visit, call)).user).toBe("alice");

    await clock.advance(300_000 + 61_000);

    await expect(gate.admit(visit, call)).rejects.toMatchObject({ code: "CREDENTIALS_REFUSED" });
  });

  it("lets in no longer when its owner is gone, or has another password", async () => {
    const { tokens, gate, call, clock, htpasswd } = await ownGate();
    const credentials = basic("bob", "password");
    const { token } = await tokens.issue(requestWith({ credentials }), call);
    const bob = visitWith(bearer(token.reveal()));
    const outcome = async () => {
      await clock.advance(1_000);
      return await gate.admit(bob, call).then(() => "in", codeOf);
    };

    expect(await outcome()).toBe("in");
    await writeFile(htpasswd, `alice:${hash}\n`);
    expect(await outcome()).toBe("CREDENTIALS_REFUSED");
    await writeFile(htpasswd, `bob:${hash.replace("$04$", "$05$")}\n`);
    expect(await outcome()).toBe("CREDENTIALS_REFUSED");
    await writeFile(htpasswd, `bob:${hash}\nalice:${hash}\n`);
    expect(await outcome()).toBe("in");
  });

  it("goes no further than its owner may, also where it knows of less than it was made for", async () => {
    const { tokens, gate, call } = await ownGate();
    const { token } = await tokens.issue(requestWith({ wishes: [pullApp] }), call);
    const shown = bearer(token.reveal());

    const visit = visitWith(shown, { wishes: [pushApp] });

    // Alice may push, but this token is not for it.
    await expect(gate.admit(visit, call)).rejects.toMatchObject({
      code: "CREDENTIALS_INSUFFICIENT",
    });
    const grant = await gate.admit(visitWith(shown), call);
    expect([grant.reach, grant.lists("team/app"), grant.lists("other/app")]).toEqual([
      ...["some", true, false],
    ]);
  });
});

describe("a token to get further ones with", () => {
  it("lives as long as the password, and is good for nothing else", async () => {
    const { tokens, gate, call, clock } = await ownGate();
    const { token, refreshToken } = await tokens.issue(requestWith({ offline: true }), call);
    const refresh = (secret = refreshToken ?? token) =>
      tokens.issue(requestWith({ credentials: { scheme: "refresh", token: secret } }), call);

    await clock.advance(52 * week);

    expect(claimsIn(await refresh())).toMatchObject({ sub: "alice" });
    expect((await refresh()).refreshToken).toBeUndefined();
    await expect(refresh(token)).rejects.toMatchObject({ code: "CREDENTIALS_REFUSED" });
    const visit = visitWith(bearer(refreshToken?.reveal() ?? ""));
    await expect(gate.admit(visit, call)).rejects.toMatchObject({ code: "CREDENTIALS_REFUSED" });
  });

  it("ends when it is told to, and with the password", async () => {
    const { tokens, call, clock, htpasswd } = await ownGate({
      tokenserver: { refreshexpiry: "1h" },
    });
    const { refreshToken } = await tokens.issue(requestWith({ offline: true }), call);
    const refresh = () =>
      tokens
        .issue(
          requestWith({ credentials: { scheme: "refresh", token: refreshToken ?? fail() } }),
          call,
        )
        .then(() => "in", codeOf);

    expect(await refresh()).toBe("in");
    await writeFile(htpasswd, `alice:${hash.replace("$04$", "$05$")}\n`);
    await clock.advance(1_000);
    expect(await refresh()).toBe("CREDENTIALS_REFUSED");
    await writeFile(htpasswd, `alice:${hash}\n`);
    await clock.advance(3_600_000 + 61_000);
    expect(await refresh()).toBe("CREDENTIALS_REFUSED");
  });

  it("is not given to nobody", async () => {
    const { tokens, call } = await ownGate();

    const issued = await tokens.issue(requestWith({ credentials: undefined, offline: true }), call);

    expect(issued.refreshToken).toBeUndefined();
  });
});

it("asks for a token where a client says what it calls us, and for a password elsewhere", async () => {
  const { gate, call } = await ownGate();
  const challenge = (locate: (path: string) => string | undefined) =>
    gate
      .admit(visitWith(undefined, { wishes: [], locate }), call)
      .catch((error) => error.challenge);

  expect(await challenge((path) => `https://r.test/x${path}`)).toEqual({
    scheme: "bearer",
    parameters: { realm: "https://r.test/x/auth/token", service: "dewy" },
  });
  expect(await challenge(() => undefined)).toEqual({
    scheme: "basic",
    parameters: { realm: "Registry Realm" },
  });
});

it("still lets in with a password, for all that its user may", async () => {
  const { gate, call } = await ownGate();
  const as = (shown: Credentials, ...wishes: Wish[]) =>
    gate.admit(visitWith(shown, { wishes }), call).then(({ user }) => user, codeOf);

  expect(await as(basic("alice", "password"), pullApp, pushApp)).toBe("alice");
  expect(await as(basic("bob", "password"), pullApp, pushApp)).toBe("DENIED");
});

it("counts a wrong password where tokens are as it does everywhere", async () => {
  const { tokens, gate, call } = await ownGate({ failedlogins: { attempts: 2 } });
  const guess = (password: string) =>
    tokens.issue(requestWith({ credentials: basic("alice", password) }), call).catch(codeOf);

  expect([await guess("a"), await guess("b"), await guess("password")]).toEqual([
    ...["CREDENTIALS_REFUSED", "CREDENTIALS_REFUSED", "TOO_MANY_FAILURES"],
  ]);
  await expect(gate.admit(visitWith(basic("alice", "password")), call)).rejects.toMatchObject({
    code: "TOO_MANY_FAILURES",
  });
});

function fail(): never {
  throw new Error("there is no refresh token");
}
