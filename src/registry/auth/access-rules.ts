import * as v from "valibot";
import { globPattern, RepositoryGlob } from "../repository-glob.ts";
import type { Grant, Wish } from "./authenticator.ts";

/** What may be done in a repository; `push` includes `pull`. */
export const RuleAction = v.picklist(
  ["pull", "push", "delete", "*"],
  "write pull, push, delete or *",
);

/**
 * One line of `auth.access`: the users it names, or those who did not log in, may do `actions` in
 * the repositories that match. There is no rule that forbids; what no rule allows is not allowed.
 */
export const AccessRule = v.pipe(
  v.strictObject({
    repository: RepositoryGlob,
    /** `push` includes `pull`: nobody can push without looking at what is there. */
    actions: v.pipe(
      v.array(RuleAction, "write a list, such as [pull, push]"),
      v.minLength(1, "name an action: pull, push, delete or *"),
    ),
    /** By name; `*` is everybody who logged in. */
    users: v.optional(
      v.array(
        v.pipe(v.string("write a name"), v.nonEmpty("write a name")),
        "write a list of names",
      ),
      [],
    ),
    anonymous: v.optional(v.boolean("write true or false"), false),
  }),
  v.check(
    ({ users, anonymous }) => anonymous || users.length > 0,
    'say who: users: [name, …], users: ["*"] for all who log in, or anonymous: true',
  ),
);
export type AccessRule = v.InferOutput<typeof AccessRule>;

export interface AccessRules {
  /** What `user` may do, or somebody who did not log in. */
  grantTo(user: string | undefined): Grant;
}

export function accessRulesOf(rules: readonly AccessRule[]): AccessRules {
  const compiled = rules.map((rule) => ({ ...rule, pattern: globPattern(rule.repository) }));

  return {
    grantTo(user) {
      const own = compiled.filter((rule) => appliesTo(rule, user));
      const mayDo = (wish: Wish) =>
        own.some(({ pattern, actions }) => pattern.test(wish.name) && includes(actions, wish));
      const pull = (name: string): Wish => ({ type: "repository", name, action: "pull" });
      const readsAll = own.some(
        ({ repository, actions }) => repository === "**" && includes(actions, pull("")),
      );
      /** The whole registry is the business of those who may do everything everywhere. */
      const ofRegistry = ({ name }: Wish) => {
        if (name === "catalog") return own.some(({ actions }) => includes(actions, pull("")));
        const isAdministrator = ({ repository, actions }: AccessRule) =>
          repository === "**" && actions.includes("*");
        return name === "garbage" && own.some(isAdministrator);
      };
      return {
        user,
        reach: readsAll ? "everything" : "some",
        lists: (repository) => mayDo(pull(repository)),
        allows: (wish) => (wish.type === "repository" ? mayDo(wish) : ofRegistry(wish)),
      };
    },
  };
}

function appliesTo({ users, anonymous }: AccessRule, user: string | undefined): boolean {
  if (user === undefined) return anonymous;
  return anonymous || users.includes("*") || users.includes(user);
}

function includes(actions: AccessRule["actions"], { action }: Wish): boolean {
  if (actions.includes("*") || actions.includes(action)) return true;
  return action === "pull" && actions.includes("push");
}
