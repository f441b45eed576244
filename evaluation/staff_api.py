"""Base for all staff endpoints of this app."""

from rest_framework.mixins import ListModelMixin, RetrieveModelMixin

from ftplatform.accounts.models import ApiToken
from ftplatform.accounts.permissions import Staff
from ftplatform.api.endpoints import StaffViewSet


class EvaluationViewSet(ListModelMixin, RetrieveModelMixin, StaffViewSet):
    write_roles = Staff
    write_scope = ApiToken.Scope.EVALUATE
