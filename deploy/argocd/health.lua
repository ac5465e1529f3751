-- Argo CD's health of a DatabaseMigration: for argocd-cm under
-- resource.customizations.health.dbmigrate.dev_DatabaseMigration.
-- Degraded only where a person must act: a Degraded resource fails the whole sync.
local health = { status = "Progressing", message = "waiting for the operator" }

if obj.metadata.deletionTimestamp ~= nil then
  health.message = "being deleted"
  return health
end

local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local ready = conditions["Ready"]
if ready == nil then
  return health
end
health.message = ready.reason .. ": " .. (ready.message or "")

local function holds(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

if holds("Stalled") then
  health.status = "Degraded"
elseif holds("Reconciling") then
  health.status = "Progressing"
elseif ready.status == "True" then
  health.status = "Healthy"
else
  -- Suspended, waiting for an approval, or rolled back: a person's word is awaited.
  health.status = "Suspended"
end
return health
