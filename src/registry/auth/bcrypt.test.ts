import { setMaxListeners } from "node:events";
import { expect, it, onTestFinished } from "vitest";
import { openBcrypt } from "./bcrypt.ts";

/** Made by Apache's htpasswd and by others, for the password U*U (crypt_blowfish's test vectors). */
const vectors = [
  "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
  "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
  "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
];

it.each(vectors)("knows the password of %s", async (hash) => {
  const { bcrypt, call } = opened();

  expect(await bcrypt.verify("U*U", hash, call)).toBe(true);
  expect(await bcrypt.verify("U*V", hash, call)).toBe(false);
});

it("answers each of many that ask at once", async () => {
  const { bcrypt, call } = opened();
  const [hash = ""] = vectors;
  const passwords = ["U*U", "a", "U*U", "", "U*U"];

  const answers = await Promise.all(passwords.map((each) => bcrypt.verify(each, hash, call)));

  expect(answers).toEqual([true, false, true, false, true]);
});

it("turns away whoever would wait too long, and no longer when the others are done", async () => {
  const { bcrypt, call } = opened();
  const hash = vectors[0]?.replace("$05$", "$04$") ?? "";
  const many = Array.from({ length: 256 }, () => bcrypt.verify("x", hash, call));

  await expect(bcrypt.verify("x", hash, call)).rejects.toMatchObject({
    code: "TOO_MANY_FAILURES",
    retryAfterMs: 1_000,
  });
  await Promise.all(many);

  expect(await bcrypt.verify("x", hash, call)).toBe(false);
});

it("tells those that wait when its thread ends, and starts another for the next", async () => {
  const { bcrypt, call } = opened();
  const slow = vectors[0]?.replace("$05$", "$16$") ?? "";
  const waiting = bcrypt.verify("x", slow, call);

  await Promise.all([
    expect(waiting).rejects.toMatchObject({ code: "UNAVAILABLE", hint: expect.any(String) }),
    bcrypt.close(),
  ]);

  expect(await bcrypt.verify("U*U", vectors[0] ?? "", call)).toBe(true);
});

it("stops waiting when it is told to", async () => {
  const { bcrypt } = opened();
  const stop = new AbortController();
  const slow = vectors[0]?.replace("$05$", "$16$") ?? "";

  const waiting = bcrypt.verify("x", slow, stop);
  stop.abort();

  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
});

function opened() {
  const bcrypt = openBcrypt();
  onTestFinished(() => bcrypt.close());
  const signal = AbortSignal.timeout(20_000);
  setMaxListeners(0, signal);
  return { bcrypt, call: { signal } };
}
