// What an integration does with the vendor's own client; only the host is another.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Brevo, BrevoClient, BrevoError } from "@getbrevo/brevo";

const { TIERWRIGHT_URL, APPROVED_PROGRAM, APPROVED_GROUP, API_KEY, READING_KEY } =
  process.env;
const NOBODYS = "99999999-9999-4999-8999-999999999999";
const clientOf = (apiKey, baseUrl = `${TIERWRIGHT_URL}/v3`) =>
  new BrevoClient({ apiKey, baseUrl, maxRetries: 0 });
const brevo = clientOf(API_KEY);
const refused = (promise, kind, status) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof kind, `${error}`);
    assert.equal(error.statusCode, status);
    assert.ok(error.body.message.endsWith("."), error.body.message);
    return true;
  });
const names = ({ items }) => items.map((item) => item.name);
let pid, points, group, entry, silver, gold, contactId;

test("a program is made, renamed and listed", async () => {
  const made = await brevo.program
    .createNewLp({ name: "Corner Shop", description: "Points.", meta: { shop: 1 } })
    .withRawResponse();
  assert.equal(made.rawResponse.status, 200);
  assert.equal(made.data.state, "inactive");
  pid = made.data.id;
  await refused(
    brevo.program.createNewLp({ name: "Corner Shop" }), Brevo.ConflictError, 409,
  );
  const renamed = await brevo.program.updateLoyaltyProgram({ pid, name: "Corner Club" });
  assert.deepEqual([renamed.name, renamed.description], ["Corner Club", ""]);
  await brevo.program.partiallyUpdateLoyaltyProgram({ pid, description: "For all." });
  const read = await brevo.program.getLoyaltyProgramInfo({ pid });
  assert.deepEqual([read.name, read.description], ["Corner Club", "For all."]);
  const listed = await brevo.program.getLpList({ limit: 1, sort_field: "created_at" });
  assert.deepEqual(names(listed), ["Corner Club"]);
  await refused(
    brevo.program.getLpList({ sort_field: "nonsense" }), Brevo.BadRequestError, 400,
  );
});

test("a balance and a group of three tiers are drafted", async () => {
  const made = await brevo.balance.createBalanceDefinition({
    pid, name: "Stars", unit: "POINTS",
  });
  points = made.id;
  const before = await brevo.tier.getListOfTierGroups({ pid });
  assert.deepEqual(before.items, []);
  group = await brevo.tier.createTierGroup({
    pid,
    name: "Levels",
    upgradeStrategy: "real_time",
    downgradeStrategy: "membership_anniversary",
    downgradeSchedule: { durationValue: 1, durationUnit: "year" },
    meta: { isInternal: false },
  });
  assert.deepEqual(group.tierOrder, []);
  assert.equal(group.downgradeSchedule.strategy, "membership_anniversary");
  const ask = (name, minimumValue) =>
    brevo.tier.createTierForTierGroup({
      pid, gid: group.id, name,
      accessConditions: [{ balanceDefinitionId: points, minimumValue }],
    });
  [gold, entry, silver] = [await ask("Gold", 1500), await ask("Start", 0), await ask("Silver", 500)];
  const drafted = await brevo.tier.getTierGroup({ pid, gid: group.id, version: "draft" });
  assert.deepEqual(drafted.tierOrder, [entry.tierId, silver.tierId, gold.tierId]);
  await refused(
    brevo.tier.getTierGroup({ pid, gid: group.id, version: "active" }),
    Brevo.NotFoundError, 404,
  );
  const active = await brevo.tier.getLoyaltyProgramTier({ pid, version: "active" });
  assert.deepEqual(active.items, []);
});

test("a group and a tier are replaced", async () => {
  const order = [entry.tierId, silver.tierId, gold.tierId];
  const replaced = await brevo.tier.updateTierGroup({
    pid, gid: group.id, name: "Status", tierOrder: order,
    upgradeStrategy: "real_time", downgradeStrategy: "membership_anniversary",
  });
  assert.deepEqual([replaced.name, replaced.tierOrder], ["Status", order]);
  assert.equal(replaced.downgradeSchedule.durationUnit, "year");
  const reward = await brevo.reward.createReward({ pid, name: "Free coffee" });
  const offers = await brevo.reward.getRewardPageApi({ pid });
  assert.deepEqual([names(offers), offers.totalCount], [["Free coffee"], 1]);
  assert.equal((await brevo.reward.getRewardInformation({ pid, rid: reward.id })).name, "Free coffee");
  const better = await brevo.tier.updateTier({
    pid, tid: gold.tierId, name: "Gold", imageRef: "gold.png",
    accessConditions: [{ balanceDefinitionId: points, minimumValue: 1000 }],
    tierRewards: [{ rewardId: reward.id }],
  });
  assert.equal(better.accessConditions[0].minimumValue, 1000);
  assert.deepEqual(better.tierRewards, [{ rewardId: reward.id }]);
});

test("what breaks a rule is a typed error, and is not kept", async () => {
  const { tier } = brevo;
  const invalid = (promise) => refused(promise, Brevo.UnprocessableEntityError, 422);
  await refused(tier.createTierGroup({ pid, name: "Status" }), Brevo.ConflictError, 409);
  await invalid(tier.createTierGroup({ pid, name: "A", upgradeStrategy: "weekly" }));
  await invalid(tier.getListOfTierGroups({ pid, version: "live" }));
  await invalid(tier.getListOfTierGroups({ pid: "x" }));
  await invalid(tier.createTierForTierGroup({ pid, gid: group.id, name: "B" }));
  const strangers = [
    () => tier.createTierGroup({ pid: NOBODYS, name: "A" }),
    () => tier.getListOfTierGroups({ pid: NOBODYS }),
    () => tier.getTierGroup({ pid, gid: NOBODYS }),
    () => tier.updateTierGroup({
      pid, gid: NOBODYS, name: "A", tierOrder: [],
      upgradeStrategy: "real_time", downgradeStrategy: "real_time",
    }),
    () => tier.deleteTierGroup({ pid, gid: NOBODYS }),
    () => tier.createTierForTierGroup({ pid, gid: NOBODYS, name: "A", accessConditions: [] }),
    () => tier.getLoyaltyProgramTier({ pid: NOBODYS }),
    () => tier.updateTier({ pid, tid: NOBODYS, name: "A", accessConditions: [], tierRewards: [] }),
    () => tier.deleteTier({ pid, tid: NOBODYS }),
    () => tier.addSubscriptionToTier({ pid, cid: "1", tid: NOBODYS }),
  ];
  for (const ask of strangers) await refused(ask(), Brevo.NotFoundError, 404);
});

test("keys that may not are told apart from keys that are none", async () => {
  const calls = ({ tier }) => [
    () => tier.createTierGroup({ pid, name: "A" }),
    () => tier.updateTierGroup({
      pid, gid: group.id, name: "A", tierOrder: [],
      upgradeStrategy: "real_time", downgradeStrategy: "real_time",
    }),
    () => tier.deleteTierGroup({ pid, gid: group.id }),
    () => tier.createTierForTierGroup({ pid, gid: group.id, name: "A", accessConditions: [] }),
    () => tier.updateTier({
      pid, tid: gold.tierId, name: "A", accessConditions: [], tierRewards: [],
    }),
    () => tier.deleteTier({ pid, tid: gold.tierId }),
    () => tier.addSubscriptionToTier({ pid, cid: "1", tid: gold.tierId }),
  ];
  const reads = ({ tier }) => [
    () => tier.getListOfTierGroups({ pid }),
    () => tier.getTierGroup({ pid, gid: group.id }),
    () => tier.getLoyaltyProgramTier({ pid }),
  ];
  for (const ask of [...calls(clientOf("wrong")), ...reads(clientOf("wrong"))])
    await refused(ask(), Brevo.UnauthorizedError, 401);
  for (const ask of calls(clientOf(READING_KEY)))
    await refused(ask(), Brevo.ForbiddenError, 403);
});

test("a publication makes all of it live", async () => {
  const published = await brevo.program.publishLoyaltyProgram({ pid }).withRawResponse();
  assert.equal(published.rawResponse.status, 200);
  assert.ok(Number(published.rawResponse.headers.get("x-sib-ratelimit-remaining")) > 0);
  assert.equal((await brevo.program.getLoyaltyProgramInfo({ pid })).state, "active");
  const active = await brevo.tier.getLoyaltyProgramTier({ pid, version: "active" });
  assert.deepEqual(names(active), ["Start", "Silver", "Gold"]);
  await brevo.program.publishLoyaltyProgram({ pid });
});

test("who joins and earns moves up in the same answer", async () => {
  const contact = await brevo.contacts.createContact({
    email: "ada@example.org", ext_id: "shop-1",
  });
  contactId = contact.id;
  const joined = await brevo.program.subscribeToLoyaltyProgram({ pid, contactId });
  assert.equal(joined.contactId, contactId);
  const account = () => brevo.program.getParameterSubscriptionInfo({ pid, contactId });
  assert.deepEqual((await account()).tier.map((t) => t.tierId), [entry.tierId]);
  const begun = await brevo.balance.beginTransaction({
    pid, contactId, amount: 600, balanceDefinitionId: points,
  });
  assert.equal(begun.status, "pending");
  assert.deepEqual((await account()).tier.map((t) => t.tierId), [entry.tierId]);
  await brevo.balance.completeTransaction({ pid, tid: begun.id });
  assert.deepEqual((await account()).tier.map((t) => t.tierId), [silver.tierId]);
  const { balance } = await brevo.balance.getSubscriptionBalances({
    pid, cid: String(contactId),
  });
  assert.deepEqual(balance.map((b) => b.value), [600]);
  const history = await brevo.balance.getTransactionHistoryApi({
    pid, contactId, balanceDefinitionId: points,
  });
  assert.equal(history.count, 1);
});

test("a member is put into a tier", async () => {
  const given = await brevo.tier
    .addSubscriptionToTier({ pid, cid: String(contactId), tid: gold.tierId })
    .withRawResponse();
  assert.equal(given.rawResponse.status, 200);
  assert.deepEqual(
    [given.data.id, given.data.contactId, given.data.groupId],
    [gold.tierId, contactId, group.id],
  );
  const { tier } = await brevo.program.getParameterSubscriptionInfo({ pid, contactId });
  assert.deepEqual(tier.map((t) => t.tierId), [gold.tierId]);
  const assign = (cid) => brevo.tier.addSubscriptionToTier({ pid, cid, tid: gold.tierId });
  await refused(assign(String(contactId)), Brevo.ConflictError, 409);
  await refused(assign("987654321"), Brevo.NotFoundError, 404);
  const stranger = await brevo.contacts.createContact({ email: "bo@example.org" });
  await refused(assign(String(stranger.id)), Brevo.FailedDependencyError, 424);
});

test("what is deleted leaves the draft, and then what is live", async () => {
  const deleted = await brevo.tier.deleteTier({ pid, tid: silver.tierId }).withRawResponse();
  assert.equal(deleted.rawResponse.status, 204);
  assert.deepEqual(names(await brevo.tier.getLoyaltyProgramTier({ pid })), ["Start", "Gold"]);
  const active = await brevo.tier.getLoyaltyProgramTier({ pid, version: "active" });
  assert.equal(active.items.length, 3);
  await brevo.tier.deleteTierGroup({ pid, gid: group.id });
  assert.deepEqual((await brevo.tier.getListOfTierGroups({ pid })).items, []);
  await brevo.program.publishLoyaltyProgram({ pid });
  const left = await brevo.tier.getListOfTierGroups({ pid, version: "active" });
  assert.deepEqual(left.items, []);
});

test("a program that somebody takes part in is kept, and deleted after", async () => {
  const kept = brevo.program.deleteLoyaltyProgram({ pid });
  await refused(kept, Brevo.UnprocessableEntityError, 422);
  await brevo.program.deleteContactSubscription({ pid, cid: contactId });
  await brevo.program.deleteLoyaltyProgram({ pid });
  await refused(brevo.program.getLoyaltyProgramInfo({ pid }), Brevo.NotFoundError, 404);
});

test("where a reviewer approves, a publication is handed in once", async () => {
  const [own, gid] = [APPROVED_PROGRAM, APPROVED_GROUP];
  await brevo.tier.createTierForTierGroup({
    pid: own, gid, name: "Friends", accessConditions: [],
  });
  const waits = async () => {
    try {
      await brevo.program.publishLoyaltyProgram({ pid: own });
    } catch (error) {
      assert.ok(error instanceof Brevo.UnprocessableEntityError && error instanceof BrevoError);
      assert.equal(error.body.code, "approval_required");
      return error.body.link;
    }
    assert.fail("It was published.");
  };
  const link = await waits();
  assert.match(link, /\/admin\/approvals\/changeset\/\d+\/change\/$/);
  assert.equal(await waits(), link);
  const active = await brevo.tier.getLoyaltyProgramTier({ pid: own, version: "active" });
  assert.ok(!names(active).includes("Friends"));
});
