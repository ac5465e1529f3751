{{- define "dbmigrate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "dbmigrate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "dbmigrate.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The name of a cluster-scoped object, unique among the releases of the cluster, because
a namespace has no dot in its name. */ -}}
{{- define "dbmigrate.clusterName" -}}
{{- printf "%s.%s" (include "dbmigrate.namespace" .) (include "dbmigrate.fullname" .) -}}
{{- end -}}

{{- define "dbmigrate.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "dbmigrate.selector" -}}
app.kubernetes.io/name: {{ include "dbmigrate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dbmigrate.labels" -}}
{{ include "dbmigrate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* One map from a list of maps: later ones take precedence, and a key whose value is null is omitted. */ -}}
{{- define "dbmigrate.union" -}}
{{- $all := dict -}}
{{- range $map := . -}}
{{- range $key, $value := (default dict $map) -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $all $key -}}
{{- else -}}
{{- $_ := set $all $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $all }}{{ toYaml $all }}{{ end -}}
{{- end -}}

{{- /* The metadata of an object: root, name, and optionally namespaced, labels, annotations.
The labels by which objects are selected are always the chart's. */ -}}
{{- define "dbmigrate.metadata" -}}
{{- $own := include "dbmigrate.labels" .root | fromYaml -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels: {{- include "dbmigrate.union" (list .root.Values.commonLabels .labels $own) | nindent 2 }}
{{- with include "dbmigrate.union" (list .root.Values.commonAnnotations .annotations) }}
annotations: {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "dbmigrate.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "dbmigrate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "dbmigrate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* The same as in deploy/rbac.yaml; a test compares them. */ -}}
{{- define "dbmigrate.rules" -}}
- apiGroups: [dbmigrate.dev]
  resources: [databasemigrations, databasemigrationsets, migrationactions]
  verbs: [get, list, watch]
- apiGroups: [dbmigrate.dev]
  resources: [migrationactions]
  verbs: [patch, delete]
- apiGroups: [dbmigrate.dev]
  resources: [databasemigrations/status, databasemigrationsets/status, migrationactions/status]
  verbs: [patch]
- apiGroups: [dbmigrate.dev]
  resources: [databasemigrations/finalizers, databasemigrationsets/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, get, list, watch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames:
    - databasemigrations.dbmigrate.dev
    - databasemigrationsets.dbmigrate.dev
    - migrationactions.dbmigrate.dev
  verbs: [get]
{{- if .Values.rbac.cloudnativepg }}
- apiGroups: [postgresql.cnpg.io]
  resources: [clusters]
  verbs: [get]
- apiGroups: [postgresql.cnpg.io]
  resources: [databases]
  verbs: [list]
{{- end }}
{{- end -}}
