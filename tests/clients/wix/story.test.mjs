// What an integration does with the vendor's own client; only the host is another.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { ApiKeyStrategy, createClient } from "@wix/sdk";
import * as accountsModule from "@wix/auto_sdk_loyalty_accounts";
import * as tiersModule from "@wix/auto_sdk_loyalty_tiers";
import * as transactionsModule from "@wix/auto_sdk_loyalty_transactions";

const { TIERWRIGHT_URL, SITE_ID, APPROVED_SITE_ID, API_KEY } = process.env;
const modules = {
  accounts: accountsModule,
  tiers: tiersModule,
  transactions: transactionsModule,
};

function clientOf(siteId, prefix = "", apiKey = API_KEY) {
  return createClient({
    modules,
    auth: ApiKeyStrategy({ apiKey, siteId }),
    fetch: (url, options) => {
      const { pathname, search } = new URL(url);
      return fetch(TIERWRIGHT_URL + prefix + pathname + search, options);
    },
  });
}

const { tiers, accounts, transactions } = clientOf(SITE_ID);
const codeOf = (error) => error.details?.applicationError?.code;
const refused = (promise, status, code) =>
  assert.rejects(promise, (error) => {
    assert.deepEqual([error.status, codeOf(error)], [status, code]);
    assert.ok(error.details.requestId);
    return true;
  });
const pictures = { icon: "https://example.org/gold.svg" };
let silver, gold, account;

test("settings are read, and the tiers switched on", async () => {
  const { programSettings, tiers: none } = await tiers.getTiersProgram();
  assert.deepEqual([programSettings.status, none], ["DISABLED", []]);
  assert.equal(programSettings.rollingWindow.durationInMonths, 12);
  await refused(tiers.createTiersProgramSettings({}), 409, "ALREADY_EXISTS");
  const { programSettings: updated } = await tiers.updateTiersProgramSettings({
    ...programSettings,
    status: "ACTIVE",
    rollingWindow: { durationInMonths: 6 },
    baseTierDefinition: { name: "Welcome", ...pictures },
  });
  assert.deepEqual([updated.status, updated.revision], ["ACTIVE", "2"]);
  assert.deepEqual(updated.baseTierDefinition.icon, pictures.icon);
  assert.ok(updated._updatedDate instanceof Date);
  const read = await tiers.getTiersProgramSettings();
  assert.deepEqual(read.programSettings, updated);
  const stale = tiers.updateTiersProgramSettings(programSettings);
  await refused(stale, 409, "INVALID_REVISION");
});

test("tiers are made one by one and in bulk", async () => {
  gold = await tiers.createTier({
    tierDefinition: { name: "Gold", description: "Free delivery.", ...pictures },
    requiredPoints: 1500,
  });
  assert.equal(gold.revision, "1");
  assert.equal(gold.tierDefinition.icon, pictures.icon);
  assert.ok(gold._createdDate instanceof Date);
  const image = "wix:image://v1/abc.png/silver.png#originWidth=24&originHeight=12";
  const { results, bulkActionMetadata } = await tiers.bulkCreateTiers([
    { tierDefinition: { name: "Silver", icon: image }, requiredPoints: 500 },
    { tierDefinition: { name: "Gold" }, requiredPoints: 700 },
  ]);
  assert.deepEqual(bulkActionMetadata, {
    totalSuccesses: 1,
    totalFailures: 1,
    undetailedFailures: 0,
  });
  assert.equal(results[1].itemMetadata.error.code, "ALREADY_EXISTS");
  silver = results[0].item;
  assert.equal(silver.tierDefinition.icon, image);
  const listed = await tiers.listTiers();
  assert.deepEqual(
    listed.tiers.map((tier) => tier.tierDefinition.name),
    ["Silver", "Gold"],
  );
  assert.deepEqual(await tiers.getTier(gold._id), gold);
});

test("a tier is changed by its revision", async () => {
  const changed = await tiers.updateTier(gold._id, {
    revision: gold.revision,
    requiredPoints: 1000,
  });
  assert.deepEqual([changed.requiredPoints, changed.revision], [1000, "2"]);
  assert.equal(changed.tierDefinition.description, "Free delivery.");
  const stale = tiers.updateTier(gold._id, { revision: "1", requiredPoints: 9 });
  await refused(stale, 409, "INVALID_REVISION");
  gold = changed;
});

test("what breaks limits is named by the field of the call", async () => {
  const definition = { name: "", description: "d".repeat(71) };
  const call = tiers.createTier({ tierDefinition: definition, requiredPoints: 0 });
  await assert.rejects(call, (error) => {
    const { fieldViolations } = error.details.validationError;
    assert.deepEqual(
      fieldViolations.map((violation) => violation.field),
      [
        "tier.requiredPoints",
        "tier.tierDefinition.description",
        "tier.tierDefinition.name",
      ],
    );
    return error.status === 400;
  });
  await refused(tiers.getTier(randomUUID()), 404, "NOT_FOUND");
});

test("an account is made and found", async () => {
  const contactId = randomUUID();
  ({ account } = await accounts.createAccount(contactId));
  assert.deepEqual([account.revision, account.points.balance], ["1", 0]);
  await refused(accounts.createAccount(contactId), 409, "ALREADY_EXISTS");
  assert.deepEqual(await accounts.getAccount(account._id), account);
  const found = await accounts.getAccountBySecondaryId({ contactId });
  assert.deepEqual(found.account, account);
  const { accounts: listed } = await accounts.listAccounts({
    contactIds: [contactId],
    cursorPaging: { limit: 5 },
  });
  assert.deepEqual(listed, [account]);
});

test("points are earned once for a key and move the account at once", async () => {
  const earning = {
    amount: 1200,
    appId: "553c79f3-5625-4f38-b14b-ef7c0d1e87df",
    idempotencyKey: "order-1",
    description: "Boots",
  };
  const first = await accounts.earnPoints(account._id, earning);
  assert.equal(first.account.tier._id, gold._id);
  assert.equal(first.account.tier.points, 1200);
  const again = await accounts.earnPoints(account._id, { ...earning, amount: 5 });
  assert.equal(again.transactionId, first.transactionId);
  assert.equal(again.account.points.balance, 1200);
  account = again.account;
});

test("points are adjusted by the revision of the account", async () => {
  const { account: lower } = await accounts.adjustPoints(account._id, {
    balance: 700,
    revision: account.revision,
    description: "Counted again.",
  });
  assert.deepEqual([lower.points.balance, lower.points.adjusted], [700, -500]);
  assert.equal(lower.tier._id, silver._id);
  const options = { amount: 5, revision: account.revision, description: "Late." };
  const stale = accounts.adjustPoints(account._id, options);
  await refused(stale, 409, "INVALID_REVISION");
  account = lower;
});

test("accounts are queried page by page", async () => {
  for (let number = 0; number < 4; number += 1) {
    await accounts.createAccount(randomUUID());
  }
  const query = accounts.queryLoyaltyAccounts().ge("points.balance", 0);
  let page = await query.descending("points.balance").limit(2).find();
  const seen = page.items.map((item) => item._id);
  assert.equal(seen[0], account._id);
  assert.equal(page.hasPrev(), false);
  while (page.hasNext()) {
    page = await page.next();
    seen.push(...page.items.map((item) => item._id));
  }
  assert.equal(new Set(seen).size, 5);
  assert.equal(seen.length, 5);
  const before = await page.prev();
  assert.deepEqual(
    before.items.map((item) => item._id),
    seen.slice(2, 4),
  );
  const bySilver = await accounts.queryLoyaltyAccounts().eq("tier.id", silver._id).find();
  assert.deepEqual(bySilver.items, [account]);
  const search = { filter: { "tier.id": silver._id }, cursorPaging: { limit: 1 } };
  const { accounts: found } = await accounts.searchAccounts(search);
  assert.deepEqual(found, [account]);
  assert.deepEqual(await accounts.countAccounts({}), { count: 5 });
  const { points, tierTotals } = await accounts.getProgramTotals();
  assert.equal(points.balance, 700);
  const base = tierTotals.find((total) => !total._id);
  assert.equal(base.numberOfAccounts, 4);
});

test("transactions are read and queried", async () => {
  const { items } = await transactions
    .queryLoyaltyTransactions()
    .eq("accountId", account._id)
    .ascending("_createdDate")
    .find();
  assert.deepEqual(
    items.map((item) => [item.transactionType, item.amount]),
    [
      ["EARN", 1200],
      ["ADJUST", -500],
    ],
  );
  assert.equal(items[0].idempotencyKey, "order-1");
  assert.deepEqual(items[1].adjustInfo.amountAfter, 700);
  assert.ok(items[0]._createdDate instanceof Date);
  assert.deepEqual(await transactions.getLoyaltyTransaction(items[0]._id), items[0]);
});

test("a tier is deleted, and its accounts are placed at once", async () => {
  await refused(tiers.deleteTier(silver._id, "7"), 409, "INVALID_REVISION");
  await tiers.deleteTier(silver._id, silver.revision);
  await refused(tiers.getTier(silver._id), 404, "NOT_FOUND");
  const { tier } = await accounts.getAccount(account._id);
  assert.deepEqual([tier._id, tier.points], [undefined, 700]);
});

test("the same services answer below _api", async () => {
  const below = clientOf(SITE_ID, "/_api");
  assert.deepEqual(await below.tiers.listTiers(), await tiers.listTiers());
});

test("what cannot be done is refused in a sentence", async () => {
  await refused(accounts.bulkAdjustPoints({ amount: 5 }), 400, "UNIMPLEMENTED");
  await refused(accounts.getCurrentMemberAccount(), 400, "UNIMPLEMENTED");
  const stranger = clientOf(SITE_ID, "", "00000000." + "0".repeat(32));
  await refused(stranger.tiers.listTiers(), 401, "UNAUTHENTICATED");
  const approved = clientOf(APPROVED_SITE_ID).tiers;
  const draft = { tierDefinition: { name: "New" }, requiredPoints: 7 };
  await refused(approved.createTier(draft), 403, "PERMISSION_DENIED");
});
