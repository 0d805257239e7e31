import * as v from "valibot";
import { globPattern, RepositoryGlob } from "../repository-glob.ts";
import type { Grant, Wish } from "./authenticator.ts";

/** What may be done in a repository; `push` includes `pull`. */
export const RuleAction = v.picklist(
  ["pull", "push", "delete", "*"],
  "write pull, push, delete or *",
);

const Names = v.array(
  v.pipe(v.string("write a name"), v.nonEmpty("write a name")),
  "write a list of names",
);

/**
 * One line of `auth.access`: the users and groups it names, or those who did not log in, may do `actions` in
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
    users: v.optional(Names, []),
    /** By their names in the directory that the user is from. */
    groups: v.optional(Names, []),
    anonymous: v.optional(v.boolean("write true or false"), false),
  }),
  v.check(
    ({ users, groups, anonymous }) => anonymous || users.length + groups.length > 0,
    'say who: users: [name, …], groups: [name, …], users: ["*"] for all who log in, or anonymous: true',
  ),
);
export type AccessRule = v.InferOutput<typeof AccessRule>;

/** Somebody who logged in, and what is known of them. */
export interface Person {
  user: string;
  groups?: readonly string[];
}

export interface AccessRules {
  /** What a person may do, or somebody who did not log in. */
  grantTo(person: Person | undefined): Grant;
}

export function accessRulesOf(rules: readonly AccessRule[]): AccessRules {
  const compiled = rules.map((rule) => ({ ...rule, pattern: globPattern(rule.repository) }));

  return {
    grantTo(person) {
      const own = compiled.filter((rule) => appliesTo(rule, person));
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
        return isForAdministrators(name) && own.some(isAdministrator);
      };
      return {
        user: person?.user,
        reach: readsAll ? "everything" : "some",
        lists: (repository) => mayDo(pull(repository)),
        allows: (wish) => (wish.type === "repository" ? mayDo(wish) : ofRegistry(wish)),
      };
    },
  };
}

function appliesTo({ users, groups, anonymous }: AccessRule, person: Person | undefined): boolean {
  if (anonymous || person === undefined) return anonymous;
  if (users.includes("*") || users.includes(person.user)) return true;
  return groups.some((group) => person.groups?.includes(group));
}

function includes(actions: AccessRule["actions"], { action }: Wish): boolean {
  if (actions.includes("*") || actions.includes(action)) return true;
  return action === "pull" && actions.includes("push");
}

function isForAdministrators(name: string): boolean {
  return name === "garbage" || name === "quotas";
}
