"""The stand-ins for FCM, the AppWorks Gateway and cloud messaging."""
